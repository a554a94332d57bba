"""Rows of destinations, locked by everybody who sends there. Source: spec/notification.md NT-23 to NT-27."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from outrider.core.notification.address import Destination
from outrider.core.notification.traits import Rate
from outrider.core.steps import Statement, Steps
from outrider.notification.destination import DestinationRow, Hold, State, paused, resumed
from outrider.notification.record import Record, record_of
from outrider.notification.states import Event
from outrider.notification.store.rows import demand
from outrider.notification.turns import Turn

Move = tuple[Record, datetime, Hold | None]
"""A locked record, when it is due, and what holds it until then."""
QUEUE_MAX: Final = timedelta(hours=6)
"""What waits longer for its turn is not looked for."""
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


def due_there(turns: Mapping[bytes, Turn], now: datetime, limit: int) -> Steps[dict[bytes, list[Record]]]:
    """Lock what is due at destinations, or would be before its turn comes, at most `limit` of each; what another owns is
    passed over.

    Statement `waiting_of_destination`, `many` of `destination_key`, `after`, `before` (of the due time), `limit` → the
    earliest records without a live lease, locked (SKIP LOCKED), by due time.
    """
    sets = [
        {
            "destination_key": key, "after": now - _FAR, "before": max(now, turn.until - turn.apart - _INSTANT),
            "limit": limit,
        }
        for key, turn in turns.items()
    ]  # fmt: skip
    found: dict[bytes, list[Record]] = {key: [] for key in turns}
    for record in map(record_of, (yield Statement("waiting_of_destination", many=sets)) if sets else ()):
        found[record.destination_key or b""].append(record)
    return found


def put_behind(crowded: Mapping[bytes, tuple[Turn, Sequence[Record]]]) -> Steps[list[Move]]:
    """When locked records of destinations come after those whose turn it is, so that the others never queue behind them
    (NT-25, T2). Nothing is written. Statement `last_turn_of_destination`, `many` of `destination_key`, `after`, `until` → of
    each `(due_at)`, the last that is dated so between these, None where nothing is.
    """
    sets = [
        {"destination_key": key, "after": turn.until - turn.apart, "until": turn.until + QUEUE_MAX}
        for key, (turn, due) in crowded.items()
        if len(due) > len(early(due))
    ]
    rows = (yield Statement("last_turn_of_destination", many=sets)) if sets else ()
    lasts = {one["destination_key"]: last for one, (last,) in zip(sets, rows, strict=True)}
    return [one for key, (turn, due) in crowded.items() for one in behind(due, turn, lasts.get(key))]


def behind(due: Sequence[Record], turn: Turn, last: datetime | None) -> list[Move]:
    """When they come: first what was early, the rest by priority behind `last`, the last that waits there for its turn,
    whoever dated it. So each is moved about once, however many there are, and a turn that was lost moves one and not all.
    """
    first = early(due)
    ids = {one.id for one in first}
    rest = sorted((one for one in due if one.id not in ids), key=lambda one: one.priority)
    start = turn.until + len(first) * turn.apart
    if last is not None:
        start = max(start, last + turn.apart)
    moves: list[Move] = [(one, turn.until + place * turn.apart, turn.reason) for place, one in enumerate(first)]
    return moves + [(one, start + place * turn.apart, turn.reason) for place, one in enumerate(rest)]


def early(due: Sequence[Record]) -> list[Record]:
    """Those that come with the next turns: what may have told the person already, and the first that has waited before."""
    told = [one for one in due if one.ambiguous_since is not None]
    waited = [one for one in due if one.ambiguous_since is None and one.hold in BLOCKED]
    return sorted(told, key=lambda one: one.priority) + sorted(waited, key=lambda one: one.priority)[:1]


def waiting(key: bytes, now: datetime, limit: int) -> Steps[list[Record]]:
    """Lock what waits for a destination, due or not, at most `limit`."""
    return (yield from _waiting(key, now - _FAR, now + _FAR, limit))


def is_blocked(row: DestinationRow, now: datetime) -> bool:
    """Whether nothing goes there now, whatever the rate."""
    return row.state in {State.PAUSED, State.DISABLED} or (row.blocked_until is not None and row.blocked_until > now)


def _waiting(key: bytes, after: datetime, before: datetime, limit: int) -> Steps[list[Record]]:
    params = {"destination_key": key, "after": after, "before": before, "limit": limit}
    rows = yield Statement("waiting_of_destination", params)
    return sorted(map(record_of, rows), key=lambda record: record.priority)


def move(moves: Sequence[Move]) -> Steps[list[Record]]:
    """Write when locked records are due, and what holds them; gives those that nothing held so before.

    Statement `date_notification`, `many` of `id`, `known_epoch`, `next_retry_at`, `hold`.
    """
    newly, sets = [], []
    for record, until, reason in moves:
        demand(record, Event.HELD, "held")
        due, hold = min(until, record.expires_at), None if reason is None else str(reason)
        sets.append({"id": record.id, "known_epoch": record.epoch, "next_retry_at": due, "hold": hold})
        if record.hold != hold:
            newly.append(replace(record, next_retry_at=due, hold=hold))
    if sets:
        yield Statement("date_notification", many=sets)
    return newly


def _locked(wanted: Iterable[bytes]) -> Steps[dict[bytes, DestinationRow]]:
    rows = yield Statement("lock_destinations", many=[{"key": key} for key in wanted])
    return {row[0]: DestinationRow(*row) for row in rows}


def _params(row: DestinationRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DESTINATION_COLUMNS if name not in {"channel", "label"}} | {
        "state": str(row.state), "reason": None if row.reason is None else str(row.reason)
    }  # fmt: skip
