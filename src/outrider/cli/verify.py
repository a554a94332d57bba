"""`outrider verify`: prove the invariants on the tables."""

from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.frame import DONE, FAILED, Call, command, new_app

app = new_app()

EXAMPLES = (
    ("outrider verify", "nothing lost, in order, once, nothing stuck; exit 1 with what was found"),
    ("outrider verify --json", "the findings for a program"),
)


@command(app, "verify", examples=EXAMPLES)
async def verify(call: Call) -> int:
    """Look for what must never be: lost, overtaken, stuck or untrue rows. Changes nothing; reads the whole log once."""
    made = site(call.settings())
    with call.out.progress("checked") as tell:
        found = await operations(made, actor=call.actor).verify(tell)
    if call.out.as_json:
        call.out.json({"service": made.service, "findings": found})
    elif found:
        call.out.table(
            ("invariant", "found", "where"),
            [(one.invariant, one.found, ", ".join(one.subjects) + (", …" if one.more else "")) for one in found],
        )
    call.out.say(
        "invariants broken: a person must look" if found else "nothing lost, stuck or out of order: I1 to I8 hold"
    )
    return FAILED if found else DONE
