"""Steps of what a process measures at an interval, for its metrics: backlog, exception rows, pauses, sizes and ages.

Invariant: a look costs the same however long the backlog is: rows are counted up to `overview.COUNT_MAX` a lane, beyond it
the distance in ids is taken. Source: spec/outbox.md OB-92.
"""

from datetime import datetime
from typing import Final, NamedTuple

from outrider.core.overview import COUNT_MAX, CountLine, LaneLine, lane_line, pause_line, read_now
from outrider.core.steps import Statement, Steps

SUSPECT: Final = "suspect"
SWEEPER: Final = "sweeper"
"""A kind of subscription that stays behind on purpose: what lies before it is no backlog."""


class LaneGauge(NamedTuple):
    """What lies before a lane, and the age in seconds of the oldest of it (0 where there is nothing)."""

    subscription: str
    lane: int
    backlog: int
    oldest_age: float


class Gauges(NamedTuple):
    """What was measured. Ages are seconds; None where this database has no such thing, or does not tell this user."""

    lanes: tuple[LaneGauge, ...] = ()
    rows: tuple[CountLine, ...] = ()
    paused: tuple[str, ...] = ()
    newest_id: int = 0
    table_bytes: int | None = None
    snapshot_age: float | None = None
    unconsumed_age: float | None = None


def measure_tables(found: Gauges) -> Steps[Gauges]:
    """Add sizes and ages. Statement `measure_tables` () → rows (what, '', value), each at most once: `newest_id`;
    `table_bytes` of the tables with their indexes; `snapshot_age_us` of the oldest open snapshot but ours;
    `unconsumed_age_us` of the oldest message that the sweeper has an unfinished row for.
    """
    rows = yield Statement("measure_tables")
    values = {str(what): int(value) for what, _, value in rows}
    return found._replace(
        newest_id=values["newest_id"],
        table_bytes=values.get("table_bytes"),
        snapshot_age=_seconds(values.get("snapshot_age_us")),
        unconsumed_age=_seconds(values.get("unconsumed_age_us")),
    )


def measure_lanes(found: Gauges) -> Steps[Gauges]:
    """Add what lies before each lane. Statement as in `overview`."""
    lanes = yield Statement("list_lanes", {"limit": COUNT_MAX + 1})
    now = yield from read_now()
    lines = (_lane(line, now, found.newest_id) for line in map(lane_line, lanes) if line.kind != SWEEPER)
    return found._replace(lanes=tuple(lines))


def measure_rows(found: Gauges) -> Steps[Gauges]:
    """Add exception rows by status, and those that are suspect. Statements as in `overview`, and `count_suspects` () →
    rows (place, reader, count) of unfinished rows.
    """
    counts = yield Statement("count_exceptions")
    suspects = yield Statement("count_suspects")
    lines = (CountLine(int(place), str(reader), SUSPECT, int(count)) for place, reader, count in suspects)
    return found._replace(rows=(*(CountLine(*row) for row in counts), *lines))


def measure_pauses(found: Gauges) -> Steps[Gauges]:
    """Add the paused destinations. Statement as in `overview`."""
    pauses = yield Statement("list_pauses")
    topics = (line.topic for line in map(pause_line, pauses) if line.kind == "destination")
    return found._replace(paused=tuple(dict.fromkeys(topics)))


PARTS: Final = (measure_tables, measure_lanes, measure_rows, measure_pauses)
"""What is measured, one after the other: a user who may not do one may do the next."""


def _lane(line: LaneLine, now: datetime, newest_id: int) -> LaneGauge:
    backlog = line.backlog
    if backlog > COUNT_MAX:
        backlog = max(backlog, (newest_id - line.last_id) // line.lanes)
    age = 0.0 if line.oldest_at is None else max(0.0, (now - line.oldest_at).total_seconds())
    return LaneGauge(line.subscription, line.lane, backlog, age)


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else max(0.0, microseconds / 1e6)
