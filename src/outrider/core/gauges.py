"""Steps of what a process measures at an interval, for its metrics: backlog, exception rows, pauses, sizes and ages.

Invariant: a look costs the same however long the backlog is: rows are counted up to `overview.COUNT_MAX` a lane, beyond it
the distance in ids is taken. Source: spec/outbox.md OB-92.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from outrider.core.overview import COUNT_MAX, CountLine, LaneLine, PauseLine, lane_line, pause_line, read_now
from outrider.core.steps import Rows, Statement, Steps

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
    """What was measured. Ages are seconds; None where this database has no such thing."""

    lanes: tuple[LaneGauge, ...] = ()
    rows: tuple[CountLine, ...] = ()
    paused: tuple[str, ...] = ()
    table_bytes: int | None = None
    snapshot_age: float | None = None
    unconsumed_age: float | None = None


def measure() -> Steps[Gauges]:
    """Measure. Statements as in `overview`, and `measure_tables` () → rows (what, reader, value), each at most once for a
    reader: `newest_id`; `table_bytes` of the tables with their indexes; `snapshot_age_us` of the oldest open snapshot but
    ours; `unconsumed_age_us` of the oldest message that the sweeper has an unfinished row for; `suspect 0` and `suspect 1`,
    unfinished rows that are suspect, of the log and of the inbox.
    """
    lanes = yield Statement("list_lanes", {"limit": COUNT_MAX + 1})
    pauses = yield Statement("list_pauses")
    counts = yield Statement("count_exceptions")
    measured = yield Statement("measure_tables")
    now = yield from read_now()
    values = {str(what): int(value) for what, _, value in measured}
    return Gauges(
        lanes=tuple(_lane(line, now, values["newest_id"]) for line in map(lane_line, lanes) if line.kind != SWEEPER),
        rows=(*(CountLine(*row) for row in counts), *_suspects(measured)),
        paused=_paused(map(pause_line, pauses)),
        table_bytes=values.get("table_bytes"),
        snapshot_age=_seconds(values.get("snapshot_age_us")),
        unconsumed_age=_seconds(values.get("unconsumed_age_us")),
    )


def _lane(line: LaneLine, now: datetime, newest_id: int) -> LaneGauge:
    backlog = line.backlog
    if backlog > COUNT_MAX:
        backlog = max(backlog, (newest_id - line.last_id) // line.lanes)
    age = 0.0 if line.oldest_at is None else max(0.0, (now - line.oldest_at).total_seconds())
    return LaneGauge(line.subscription, line.lane, backlog, age)


def _suspects(measured: Rows) -> Iterable[CountLine]:
    for what, reader, value in measured:
        kind, _, place = str(what).partition(" ")
        if kind == SUSPECT:
            yield CountLine(int(place), str(reader), SUSPECT, int(value))


def _paused(pauses: Iterable[PauseLine]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.topic for line in pauses if line.kind == "destination"))


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else max(0.0, microseconds / 1e6)
