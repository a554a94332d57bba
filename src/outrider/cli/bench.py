"""`outrider bench`: what this database and this broker can do."""

from dataclasses import asdict
from typing import Annotated

import typer

from outrider.bootstrap.bench import Measured
from outrider.bootstrap.operations import MESSAGES, operations
from outrider.bootstrap.wiring import site
from outrider.cli.frame import DONE, PARTLY, Call, command, new_app

app = new_app()

EXAMPLES = (
    ("outrider bench", "about ten seconds of load, in tables and a topic of its own"),
    ("outrider bench --messages 100000 --yes --json", "more of it, for a program"),
)
Messages = Annotated[int, typer.Option("--messages", min=1_000, max=1_000_000, help="Messages to read and publish.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command(app, "bench", examples=EXAMPLES)
async def bench(call: Call, messages: Messages = MESSAGES, yes: Yes = False) -> int:
    """Measure this database and broker: commits with and without an add, reading, publishing, relaying.

    Makes tables and a topic of its own, and drops them again; no row of a service is touched.
    """
    made = site(call.settings())
    if not yes:
        call.confirm(f"Put load on the database and {made.settings.broker.kind}, in tables that are dropped again?")
    with call.out.progress("measured") as tell:
        found = await operations(made, actor=call.actor).bench(messages=messages, tell=tell)
    if call.out.as_json:
        call.out.json({**asdict(found), "add_cost": found.add_cost})
    else:
        call.out.table(("on one connection", "a second"), rows(found))
        longer = f"a commit with an add takes {found.add_cost:.2f} times as long as without"
        call.out.say(f"\n{found.database}, {found.messages:,} messages: {longer}")
    for left in found.left_behind:
        call.out.fail(f"left behind: {left}")
    return PARTLY if found.left_behind else DONE


def rows(found: Measured) -> list[tuple[str, int]]:
    """The figures by what was done, rounded; none where there is no broker."""
    figures = {
        "commits of one business row": found.commits,
        "the same with one message added": found.commits_with_add,
        "messages added, 500 a commit": found.added_together,
        "messages read": found.read,
    }
    if found.produced is not None and found.relayed is not None:
        figures |= {f"messages to {found.broker}": found.produced, f"messages relayed to {found.broker}": found.relayed}
    return [(what, round(figure)) for what, figure in figures.items()]
