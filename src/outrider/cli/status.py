"""`outrider status`: lanes, backlog, pauses, what waits."""

from collections import defaultdict

from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.frame import Call, command, new_app
from outrider.cli.pause import spoken
from outrider.core.overview import COUNT_MAX, LaneLine, Overview, counted

app = new_app()

EXAMPLES = (
    ("outrider status", "at a glance"),
    ("outrider status --json | jq .lanes[].backlog", "for a program"),
)


@command(app, "status", examples=EXAMPLES)
async def status(call: Call) -> None:
    """Lanes with owner, lease and backlog (counted to 10,000, then ≥), pauses, and what waits for a person."""
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    seen = await operations(made, actor=call.actor).status()
    if call.out.as_json:
        call.out.json(as_data(made.service, seen))
        return
    lanes(call, seen)
    counts(call, seen)
    if seen.pauses:
        call.out.text("")
        call.out.table(
            ("paused", "since", "until", "by", "reason"),
            [
                (
                    spoken(pause.kind, pause.topic, pause.subject),
                    pause.paused_at,
                    pause.until,
                    pause.actor,
                    ": ".join(part for part in (pause.code, pause.reason) if part),
                )
                for pause in seen.pauses
            ],
        )


def lanes(call: Call, seen: Overview) -> None:
    """One line a lane; without lanes a word on why."""
    if not seen.lanes:
        call.out.say("nothing reads the log yet: a relay or a consumer makes its subscription when it starts")
        return
    call.out.table(
        ("subscription", "lane", "owner", "lease", "backlog", "oldest", "passed"),
        [
            (
                line.subscription,
                f"{line.lane}/{line.lanes}",
                short(line.owner) if held(line) else None,
                line.lease_left if held(line) else "free",
                counted(line.backlog),
                None if line.oldest_at is None else seen.at - line.oldest_at,
                line.passed,
            )
            for line in seen.lanes
        ],
    )


def counts(call: Call, seen: Overview) -> None:
    """Exception rows of each reader."""
    table: dict[str, dict[str, int]] = defaultdict(dict)
    for line in seen.counts:
        table[line.reader][line.status] = table[line.reader].get(line.status, 0) + line.rows
    statuses = ("waiting", "retrying", "parked", "dead", "quarantined")
    if table:
        call.out.text("")
        call.out.table(
            ("reader", *statuses), [(name, *(row.get(s, 0) for s in statuses)) for name, row in table.items()]
        )
    else:
        call.out.say("no message is set aside: none waits, none is dead" if seen.lanes else "no message is set aside")


def held(line: LaneLine) -> bool:
    """Whether somebody owns the lane now."""
    return line.owner is not None and line.lease_left is not None and line.lease_left.total_seconds() > 0


def short(owner: str | None) -> str:
    """An owner's host and the end of its id: enough to tell two apart."""
    parts = (owner or "").split(":")
    return owner or "" if len(parts) < 2 else f"{parts[0]}/{parts[-1][-6:]}"  # noqa: PLR2004  host and id


def as_data(service: str, seen: Overview) -> dict[str, object]:
    """The JSON shape: stable."""
    return {
        "service": service,
        "at": seen.at,
        "lanes": [
            {
                "subscription": line.subscription,
                "kind": line.kind,
                "broker": line.broker,
                "lane": line.lane,
                "lanes": line.lanes,
                "owner": line.owner if held(line) else None,
                "epoch": line.epoch,
                "lease_left": line.lease_left if held(line) else None,
                "backlog": min(line.backlog, COUNT_MAX),
                "backlog_is_at_least": line.backlog > COUNT_MAX,
                "oldest_age": None if line.oldest_at is None else seen.at - line.oldest_at,
                "last_id": line.last_id,
                "passed": line.passed,
                "advanced_at": line.advanced_at,
            }
            for line in seen.lanes
        ],
        "pauses": [pause._asdict() for pause in seen.pauses],
        "exceptions": [
            {"place": "inbox" if line.place else "log", "reader": line.reader, "status": line.status, "rows": line.rows}
            for line in seen.counts
        ],
        "processes": [process._asdict() for process in seen.processes],
    }
