"""Steps of what an operator sees at a glance: lanes, backlog, pauses, counts of exception rows, processes.

Invariant: counting stops at `COUNT_MAX`, so a look never costs more than that many rows a lane. Source: spec/outbox.md
section 13.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from outrider.core.steps import Statement, Steps
from outrider.core.sweep import SWEEPER

COUNT_MAX: Final = 10_000


class LaneLine(NamedTuple):
    """A lane: who owns it and until when (`lease_left` None or past: nobody), how much lies before it.

    `backlog` is at most COUNT_MAX + 1, which means more than COUNT_MAX; `oldest_at` the creation of the oldest of them. The
    sweeper has neither.
    """

    subscription_id: int
    subscription: str
    kind: str
    broker: str | None
    lane: int
    lanes: int
    owner: str | None
    epoch: int
    lease_left: timedelta | None
    done: str | None
    target: str | None
    last_id: int
    floor_id: int
    passed: int
    cluster: str
    advanced_at: datetime
    backlog: int
    oldest_at: datetime | None


class PauseLine(NamedTuple):
    """A pause that holds."""

    kind: str
    broker: str
    topic: str
    subject: str
    automatic: bool
    code: str | None
    reason: str | None
    actor: str | None
    paused_at: datetime
    until: datetime | None


class CountLine(NamedTuple):
    """How many exception rows of a reader have a status."""

    place: int
    reader: str
    status: str
    rows: int


class ProcessLine(NamedTuple):
    """A process that was seen lately."""

    owner: str
    role: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime


class Overview(NamedTuple):
    """All of it, at `at` by the database's clock."""

    at: datetime
    lanes: list[LaneLine]
    pauses: list[PauseLine]
    counts: list[CountLine]
    processes: list[ProcessLine]


def overview() -> Steps[Overview]:
    """Look at everything. Statements without parameters, each → rows of its line (`lease_left` in microseconds):
    `list_lanes` with `limit` (COUNT_MAX + 1), `list_pauses`, `count_exceptions`, `list_processes`, `database_now` → (at).
    """
    lanes = yield Statement("list_lanes", {"limit": COUNT_MAX + 1})
    pauses = yield Statement("list_pauses")
    counts = yield Statement("count_exceptions")
    processes = yield Statement("list_processes")
    now = yield from read_now()
    return Overview(
        at=now,
        lanes=[line for row in lanes for line in _shown(lane_line(row))],
        pauses=[pause_line(row) for row in pauses],
        counts=[CountLine(*row) for row in counts],
        processes=[ProcessLine(*row) for row in processes],
    )


def _shown(line: LaneLine) -> list[LaneLine]:
    """The sweeper leads by its first lane and lags behind on purpose: one line, and no backlog."""
    if line.kind != SWEEPER:
        return [line]
    return [line._replace(backlog=0, oldest_at=None)] if line.lane == 0 else []


def counted(rows: int) -> str:
    """A number that was counted to COUNT_MAX, for people: `12`, `≥ 10,000`."""
    return f"≥ {COUNT_MAX:,}" if rows > COUNT_MAX else f"{rows:,}"


def read_now() -> Steps[datetime]:
    """The time by the database's clock. Statement `database_now` → (at)."""
    rows = yield Statement("database_now")
    now: datetime = rows[0][0]
    return now


def lane_line(row: tuple[object, ...]) -> LaneLine:
    """A row of `list_lanes`."""
    line = LaneLine(*row)  # type: ignore[arg-type]  # the contract's columns
    left = None if row[8] is None else timedelta(microseconds=int(str(row[8])))
    return line._replace(lease_left=left)


def pause_line(row: tuple[object, ...]) -> PauseLine:
    """A row of `list_pauses`."""
    line = PauseLine(*row)  # type: ignore[arg-type]  # the contract's columns
    return line._replace(automatic=bool(row[4]))
