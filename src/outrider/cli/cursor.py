"""`outrider cursor`: where the readers of the log stand."""

from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.frame import Call, command, new_app

app = new_app("Where the readers of the log stand.")

SHOW = (
    ("outrider cursor show", "one line a lane"),
    ("outrider cursor show --json", "with the whole position"),
)


@app.callback()
def group() -> None:
    """Where the readers of the log stand."""


@command(app, "show", examples=SHOW)
async def show(call: Call) -> None:
    """Position, epoch and last advance of every lane."""
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    seen = await operations(made, actor=call.actor).status()
    if call.out.as_json:
        names = (
            "subscription", "kind", "broker", "lane", "epoch", "owner", "done", "target", "last_id", "floor_id", "passed",
            "cluster", "advanced_at",
        )  # fmt: skip
        items = [{name: getattr(line, name) for name in names} for line in seen.lanes]
        call.out.json({"items": items, "next_cursor": None})
        return
    if not seen.lanes:
        call.out.say("nothing reads the log yet")
        return
    call.out.table(
        ("subscription", "lane", "last id", "tick", "epoch", "passed", "advanced"),
        [
            (
                line.subscription, f"{line.lane}/{line.lanes}", line.last_id, _tick(line.done, line.target), line.epoch,
                line.passed, line.advanced_at,
            )
            for line in seen.lanes
        ],
    )  # fmt: skip


def _tick(done: str | None, target: str | None) -> str | None:
    """Where the snapshots stand, in short: their upper ends."""
    if done is None or target is None:
        return None
    ends = [text.split(":")[1] for text in (done, target)]
    return "read" if done == target else f"{ends[0]} to {ends[1]}"
