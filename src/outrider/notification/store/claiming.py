"""Taking due records, dating those whose turn it is not, and giving back. Source: spec/notification.md NT-9, NT-15, NT-25."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from outrider.core.notification.content import Priority
from outrider.core.steps import Statement, Steps
from outrider.notification.destination import DestinationRow
from outrider.notification.record import Record
from outrider.notification.states import WAITING, Event, Status, transition
from outrider.notification.store import rows
from outrider.notification.store.destinations import due_there, move, put_behind, read_destinations
from outrider.notification.store.rules import Rules
from outrider.notification.turns import Turn

ChooseTurn = Callable[[Record, DestinationRow, datetime], Turn]
"""Whose turn it is at a record's destination, whose row is as it stood at that time."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What `take` did: `records` are the owner's, `held` wait for their turn for the first time.

    `is_all`: nothing else may begin now. `next_in`: after what time something is due again, None where nothing waits or
    not all was seen.
    """

    records: list[Record]
    held: list[Record] = field(default_factory=list)
    is_all: bool = True
    next_in: timedelta | None = None


def take(rules: Rules, owner: str, room: int, limit: int, choose: ChooseTurn) -> Steps[Taken]:
    """As `claim`, at most `room`, and of each destination only so many as `choose` says; the rest of what is due there is
    dated to when its turn comes, in the same transaction, so that nobody looks at it before, and others never queue behind
    it.

    Looks at `limit` due records, and dates at most as many of a destination. Statements besides those of `claim`:
    `read_destinations`, `next_due_notification` → `(due_at, clock)`, what is due after now at the earliest (None: nothing).
    """
    due, now = yield from _due(limit)
    is_all = len(due) < limit
    if now is None:
        return Taken([], next_in=(yield from _next_in()))
    known = yield from read_destinations({one.destination_key: one.channel for one in due if one.destination_key})
    going, crowded = _chosen(due, known, choose, now)
    records = yield from _leased(rules, owner, going[:room], now)
    looked = {one.id for _, waiting in crowded.values() for one in waiting}
    if not is_all:
        more = yield from due_there({key: turn for key, (turn, _) in crowded.items()}, now, limit)
        crowded = {key: (turn, more[key]) for key, (turn, _) in crowded.items()}
    moves = yield from put_behind(crowded)
    held = yield from move(moves)
    is_all = is_all and len(going) <= room
    next_in = (yield from _next_in()) if is_all else None
    return Taken(records, [one for one in held if one.id in looked], is_all, next_in)


def claim(rules: Rules, owner: str, limit: int) -> Steps[list[Record]]:
    """Take at most `limit` due records for `owner`, until a lease from now: most urgent first, then by due time and id.

    Each has a new epoch; its status stays. What another transaction has locked is passed over. Statements:
    `due_notifications`, `many` of `priority`, `limit` → records and `clock`, locked (SKIP LOCKED); `write_notification`.
    """
    due, now = yield from _due(limit)
    return [] if now is None else (yield from _leased(rules, owner, due, now))


def claim_one(rules: Rules, owner: str, record_id: UUID) -> Steps[Record | None]:
    """Take this very record, if it is due and nobody's (NT-9); None for any other."""
    found = yield from rows.lock(record_id)
    if found is None:
        return None
    record, now = found
    is_due = record.status in WAITING and record.next_retry_at is not None and record.next_retry_at <= now
    if not is_due or (record.lease_until is not None and record.lease_until > now):
        return None
    (taken,) = yield from _leased(rules, owner, [record], now)
    return taken


def release(claimed: Sequence[Record]) -> Steps[None]:
    """Give back what was claimed and not begun; what is no longer theirs stays as it is."""
    epochs = {one.id: one.epoch for one in claimed}
    found = yield from rows.lock_all(sorted(epochs))
    mine = [record for record in found if is_mine(record, epochs[record.id])]
    yield from rows.write_all([(record, given_back(record)) for record in mine])


def is_mine(record: Record, epoch: int) -> bool:
    """Whether it is still claimed by who saw this epoch."""
    return record.epoch == epoch and record.status in WAITING and record.lease_owner is not None


def given_back(record: Record) -> Record:
    """The record without its lease."""
    transition(record.status, Event.RELEASED, Status(record.status))
    return replace(record, lease_owner=None, lease_until=None)


def _due(limit: int) -> Steps[tuple[list[Record], datetime | None]]:
    """Due records, locked, at most `limit`; with the time where there are any."""
    sets = [{"priority": int(priority), "limit": limit} for priority in Priority]
    due = (yield Statement("due_notifications", many=sets))[:limit]
    return rows.records_of(due), due[-1][-1] if due else None


def _leased(rules: Rules, owner: str, due: Sequence[Record], now: datetime) -> Steps[list[Record]]:
    """Write the lease of locked records."""
    until = now + rules.settings.lease
    found = []
    for record in due:
        transition(record.status, Event.TAKEN, Status(record.status))
        found.append((record, replace(record, lease_owner=owner, lease_until=until, epoch=record.epoch + 1)))
    yield from rows.write_all(found)
    return [after for _, after in found]


def _chosen(
    due: Sequence[Record], known: Mapping[bytes, DestinationRow], choose: ChooseTurn, now: datetime
) -> tuple[list[Record], dict[bytes, tuple[Turn, list[Record]]]]:
    """Those whose turn it is, and by destination those whose turn it is not. Where somebody may have been told already, the
    provider forgets our key in a while: that goes first (NT-22).
    """
    going: list[Record] = []
    crowded: dict[bytes, tuple[Turn, list[Record]]] = {}
    turns: dict[bytes, Turn] = {}
    counted = Counter[bytes]()
    for record in sorted(due, key=lambda one: (one.priority, one.ambiguous_since is None)):
        key = record.destination_key
        if key is None:
            going.append(record)
            continue
        if key not in turns:
            turns[key] = choose(record, known[key], now)
        if counted[key] < turns[key].count:
            counted[key] += 1
            going.append(record)
        else:
            crowded.setdefault(key, (turns[key], []))[1].append(record)
    return going, crowded


def _next_in() -> Steps[timedelta | None]:
    ((due_at, now),) = yield Statement("next_due_notification")
    return None if due_at is None else due_at - now
