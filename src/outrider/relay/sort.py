"""Sorting a batch before it is sent: what goes, what waits, what is parked, what no destination would ever take.

Invariant: a message behind an earlier one of its key that was not sent is not sent either. The fast path costs a message
nothing but the publisher's own check. Source: spec/outbox.md OB-37, OB-97.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from json import loads

from outrider.core.deliveries import HOLD, Changes, Due, KeyOf, NewDelivery, key_of
from outrider.core.delivery import Status
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Refusal, Refused
from outrider.core.retry import RetryAt
from outrider.core.suspects import ALONE
from outrider.relay.holds import Holds

Refuse = Callable[[LogRow], Refused | None]

AHEAD = '"ahead"'
ROUTE_UNKNOWN = "route.unknown"
RATE = "rate"
UNDECIDABLE = {"suspended", ROUTE_UNKNOWN}
"""Causes that the tables alone cannot tell: deciding such a queue anew would make its head due at once."""


@dataclass(slots=True)
class Sorted:
    """What goes to the broker, in order, and what was decided without it."""

    send: Sequence[LogRow]
    changes: Changes = field(default_factory=Changes)


def sort_log(rows: Sequence[LogRow], holds: Holds, refuse: Refuse, *, taken: bool) -> Sorted:
    """Sort rows of the log; `taken` says that `refuse` is sure to refuse none.

    Decisions are noted in `holds` at once: later rows of a parked one's key follow it.
    """
    plain = not holds.any_hold and holds.knows({row[2] for row in rows})
    if plain and taken and not any(AHEAD in extra for extra in [row[6] for row in rows if row[6]]):
        return Sorted(rows)
    send: list[LogRow] = []
    changes = Changes()
    for row in rows:
        decided = _decide(row, holds, refuse)
        if decided is None:
            send.append(row)
            continue
        changes.new.append(decided)
        if decided.blocks:
            key = key_of(row)
            holds.block(key)
            if decided.cause not in UNDECIDABLE:
                changes.look_again(key)
    return Sorted(send, changes)


def sort_due(rows: Sequence[Due], holds: Holds, refuse: Refuse) -> tuple[list[Due], Changes, list[tuple[Due, Refused]]]:
    """Sort deliveries that are due: what goes, what is parked again or put off, what is refused here for ever."""
    send: list[Due] = []
    put_off: set[KeyOf] = set()
    changes = Changes()
    refused: list[tuple[Due, Refused]] = []
    for due in rows:
        key = key_of(due.row)
        cause = "key" if key in put_off else _due_reason(due, holds)
        if cause is not None:
            changes.parked.append((due, cause))
            if cause not in UNDECIDABLE:
                changes.look_again(key)
        elif (fault := refuse(due.row)) is not None:
            refused.append((due, fault))
        elif (wait := holds.pace(parse_kind(due.row[2]).topic, due=True)) is not None:
            changes.retried.append((due, RetryAt(wait, due.attempts), None))
            if key is not None:
                put_off.add(key)
                holds.blocked.add(key)
        else:
            send.append(due)
    return send, changes, refused


def beside_suspects(rows: list[Due]) -> list[Due]:
    """What goes now of deliveries that are due: the others first, then one suspect with nothing beside it."""
    others = [one for one in rows if one.cause not in ALONE]
    return others or rows[:1]


def _is_special(row: LogRow) -> bool:
    extra = row[6]
    return extra is not None and AHEAD in extra


def _due_at(row: LogRow) -> datetime | None:
    if not _is_special(row):
        return None
    extra = loads(row[6] or "{}")
    return datetime.fromisoformat(extra["deliver_at"]) if extra.get("ahead") is True else None


def _decide(row: LogRow, holds: Holds, refuse: Refuse) -> NewDelivery | None:
    due_at = _due_at(row)
    if due_at is not None:
        return NewDelivery(row, Status.WAITING, "deliver_at", due_at=due_at)
    kind = parse_kind(row[2])
    cause = holds.reason(kind.topic, row[3])
    if cause is not None:
        return NewDelivery(row, Status.PARKED, cause)
    if not holds.routed(kind.type):
        holds.unknown_types.add(kind.type)
        fault = Refused(
            Refusal.CONFIGURATION, ROUTE_UNKNOWN, f"type {kind.type} has no route: declare it, then run migrate"
        )
        return NewDelivery(row, Status.PARKED, ROUTE_UNKNOWN, refused=fault)
    refused = refuse(row)
    if refused is not None:
        hold = holds.holds_key(kind.type)
        return NewDelivery(row, Status.DEAD, HOLD if hold else "refused", attempts=1, refused=refused)
    wait = holds.pace(kind.topic, due=False)
    return None if wait is None else NewDelivery(row, Status.RETRYING, RATE, delay=wait)


def _due_reason(due: Due, holds: Holds) -> str | None:
    kind = parse_kind(due.row[2])
    if not holds.routed(kind.type):
        holds.unknown_types.add(kind.type)
        return ROUTE_UNKNOWN
    if due.row[0] in {holds.suspended.get(kind.topic), holds.seconds.get(kind.topic)}:
        return None
    cause = holds.reason(kind.topic, due.row[3])
    return None if cause == "key" and due.status is Status.RETRYING else cause
