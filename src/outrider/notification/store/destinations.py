"""Rows of destinations, locked by everybody who sends there. Source: spec/notification.md NT-23 to NT-27."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from outrider.core.notification.address import Destination
from outrider.core.notification.traits import Rate
from outrider.core.steps import Statement, Steps
from outrider.notification.destination import DestinationRow, Hold, State, paused, resumed
from outrider.notification.record import Record, record_of
from outrider.notification.states import Event
from outrider.notification.store.rows import demand, write_all
from outrider.notification.turns import Turn

Queue = int
"""Of a destination: a priority."""
Move = tuple[Record, datetime, Hold | None]
"""A locked record, when it is due, and what holds it until then."""
NO_QUEUES: Final[Mapping[Queue, datetime]] = MappingProxyType({})
BLOCKED: Final = frozenset({Hold.RATE, Hold.BREAKER, Hold.PAUSED})
"""Holds that are a destination's, not a record's."""
DESTINATION_COLUMNS: Final = tuple(DestinationRow.__dataclass_fields__)
_FAR: Final = timedelta(days=366)
_INSTANT: Final = timedelta(microseconds=1)


def lock_all(destinations: Sequence[Destination]) -> Steps[list[DestinationRow]]:
    """Lock the rows of `destinations`, made where there are none, and give them in the order asked.

    By key, so that two who take several never wait for each other. Statements: `lock_destinations`, `many` of `key` →
    rows; `insert_destination`, `many` of `key`, `channel`, `label`, left alone where there is one.
    """
    if not destinations:
        return []
    wanted = {one.key: one for one in sorted(destinations, key=lambda one: one.key)}
    found = yield from _locked(wanted)
    missing = [one for key, one in wanted.items() if key not in found]
    if missing:
        sets = [{"key": one.key, "channel": one.channel, "label": one.label} for one in missing]
        yield Statement("insert_destination", many=sets)
        found = yield from _locked(wanted)
    return [found[one.key] for one in destinations]


def lock_one(key: bytes | None) -> Steps[DestinationRow | None]:
    """Lock one by its key: statement `lock_destinations`, param `key` → a row."""
    if key is None:
        return None
    rows = yield Statement("lock_destinations", {"key": key})
    return DestinationRow(*rows[0]) if rows else None


def lock_known(keys: Collection[bytes]) -> Steps[dict[bytes, DestinationRow]]:
    """Lock those that there are, by key: the same statement, in the same order as `lock_all`."""
    return (yield from _locked(sorted(keys))) if keys else {}


def write_destinations(changed: Sequence[DestinationRow]) -> Steps[None]:
    """Write locked rows: statement `write_destination`, `many` of all columns but `channel` and `label`."""
    sets = [_params(row) for row in sorted(changed, key=lambda row: row.key)]
    if sets:
        yield Statement("write_destination", many=sets)


def list_destinations(limit: int = 200) -> Steps[list[DestinationRow]]:
    """Destinations, the troubled first: statement `list_destinations`, param `limit` → rows."""
    rows = yield Statement("list_destinations", {"limit": limit})
    return [DestinationRow(*row) for row in rows]


def pause(key: bytes, reason: str) -> Steps[bool]:
    """Hold what goes there until a person resumes it; False where there is no such destination (NT-26)."""
    row = yield from lock_one(key)
    if row is None:
        return False
    yield from write_destinations([paused(row, reason)])
    return True


def resume(key: bytes, rates: tuple[Rate, ...], now: datetime, limit: int) -> Steps[int | None]:
    """Open it to sends again and make due what it held, at most `limit`; None where there is no such destination.

    Also for changed settings and a good test send. Call `release` until it gives less than `limit`.
    """
    row = yield from lock_one(key)
    if row is None:
        return None
    yield from write_destinations([resumed(row, rates, now)])
    return (yield from release(key, now, limit))


def release(key: bytes, now: datetime, limit: int) -> Steps[int]:
    """Make due what the destination's state held: statement `waiting_of_destination`, see `due_there`."""
    waiting = yield from _waiting(key, now, now + _FAR, limit)
    held = [one for one in waiting if one.hold in BLOCKED]
    yield from move([(one, now, None) for one in held])
    return len(held)


def read_destinations(channels: Mapping[bytes, str]) -> Steps[dict[bytes, DestinationRow]]:
    """Rows as they stand, of which nobody sent to yet as they will be made; `channels` by key.

    Statement `read_destinations`, `many` of `key` → rows, not locked.
    """
    if not channels:
        return {}
    rows = yield Statement("read_destinations", many=[{"key": key} for key in channels])
    found = {row[0]: DestinationRow(*row) for row in rows}
    return {key: found.get(key) or DestinationRow(key, channel, "") for key, channel in channels.items()}


def due_there(key: bytes, now: datetime, turn: Turn, limit: int) -> Steps[list[Record]]:
    """Lock what is due at a destination, or would be before its turn comes, at most `limit`; what another owns is passed
    over.

    Statement `waiting_of_destination`, params `destination_key`, `after`, `before` (of the due time), `limit` → the
    earliest records without a live lease, locked (SKIP LOCKED), by due time.
    """
    return (yield from _waiting(key, now - _FAR, max(now, turn.until - turn.apart - _INSTANT), limit))


def put_behind(
    key: bytes, due: Sequence[Record], turn: Turn, ends: Mapping[Queue, datetime] = NO_QUEUES
) -> Steps[tuple[list[Move], Mapping[Queue, datetime]]]:
    """When locked records of a destination come after those whose turn it is, so that the others never queue behind them
    (NT-25, T2); and where each queue ends then. Nothing is written.

    What may have told the person already comes first, then the first of what has waited before, which was early. The rest
    goes by priority behind what a call before moved, by its `ends`, if that still waits: so each is moved about once, however
    many there are, and a turn that was lost moves one and not all.
    """
    first = sorted(due, key=lambda one: (one.ambiguous_since is None, one.hold not in BLOCKED, one.priority))
    count = sum(one.ambiguous_since is not None for one in due)
    count += count < len(first) and first[count].hold in BLOCKED
    moves: list[Move] = [(one, turn.until + place * turn.apart, turn.reason) for place, one in enumerate(first[:count])]
    behind = turn.until + count * turn.apart
    kept: dict[Queue, datetime] = {}
    for record in first[count:]:
        queue = record.priority
        if queue not in kept:
            kept[queue] = yield from _end_of(key, ends.get(queue, behind), behind, turn.apart)
        moves.append((record, kept[queue], turn.reason))
        kept[queue] += turn.apart
    return moves, {**ends, **kept}


def waiting(key: bytes, now: datetime, limit: int) -> Steps[list[Record]]:
    """Lock what waits for a destination, due or not, at most `limit`."""
    return (yield from _waiting(key, now - _FAR, now + _FAR, limit))


def is_blocked(row: DestinationRow, now: datetime) -> bool:
    """Whether nothing goes there now, whatever the rate."""
    return row.state in {State.PAUSED, State.DISABLED} or (row.blocked_until is not None and row.blocked_until > now)


def _end_of(key: bytes, end: datetime, until: datetime, apart: timedelta) -> Steps[datetime]:
    """Where the next of a queue goes: behind its end, or to `until` where nothing waits there any more."""
    if end <= until:
        return until
    there = yield from _waiting(key, end - 2 * apart, end, 1)
    return end if there else until


def _waiting(key: bytes, after: datetime, before: datetime, limit: int) -> Steps[list[Record]]:
    params = {"destination_key": key, "after": after, "before": before, "limit": limit}
    rows = yield Statement("waiting_of_destination", params)
    return sorted(map(record_of, rows), key=lambda record: record.priority)


def move(moves: Sequence[Move]) -> Steps[list[Record]]:
    """Write when locked records are due, and what holds them; gives those that nothing held so before."""
    sets = []
    for record, until, reason in moves:
        demand(record, Event.HELD, "held")
        due = min(until, record.expires_at)
        sets.append((record, replace(record, next_retry_at=due, hold=None if reason is None else str(reason))))
    yield from write_all(sets)
    return [after for before, after in sets if before.hold != after.hold]


def _locked(wanted: Iterable[bytes]) -> Steps[dict[bytes, DestinationRow]]:
    rows = yield Statement("lock_destinations", many=[{"key": key} for key in wanted])
    return {row[0]: DestinationRow(*row) for row in rows}


def _params(row: DestinationRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DESTINATION_COLUMNS if name not in {"channel", "label"}} | {
        "state": str(row.state)
    }
