"""The delivery state machine: what may happen to a message that did not go straight through.

A pair of status and event that is not in `TRANSITIONS` is refused with `InvariantViolated`. Source: spec/outbox.md OB-25.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from outrider.core.errors import InvariantViolated


class Status(StrEnum):
    """Status of a delivery row, in the relay's table and in the inbox."""

    WAITING = "waiting"  # due time ahead; holds nobody behind it
    RETRYING = "retrying"  # head of its key, due at next_retry_at
    PARKED = "parked"  # behind a head, a pause or a suspension; no due time
    DEAD = "dead"  # waits for a person
    QUARANTINED = "quarantined"  # could not be understood yet; bytes kept
    DONE = "done"


class Event(StrEnum):
    """What happens to a delivery row."""

    DUE = "due"  # a waiting row's time has come
    PROMOTED = "promoted"  # the head before it was settled, or the pause ended
    BLOCKED = "blocked"  # a pause, or an earlier row of its key, holds it
    RETRY = "retry"  # failed, to be tried again
    BURIED = "buried"  # counted out, or refused for ever
    DELIVERED = "delivered"  # acknowledged or handled
    REPLAYED = "replayed"  # a person, or the sweeper, wants it sent again
    DISCARDED = "discarded"  # a person gave it up
    RELEASED = "released"  # a quarantined row has become understandable
    DEFERRED = "deferred"  # the sweeper judges it again later
    QUARANTINE = "quarantine"  # a replayed or retried body is not understood here


UNFINISHED = (Status.WAITING, Status.RETRYING, Status.PARKED)
BLOCKING = (Status.RETRYING, Status.PARKED)  # unfinished and not merely waiting: later messages of the key queue up

TRANSITIONS: dict[tuple[Status, Event], Status] = {
    (Status.WAITING, Event.DUE): Status.RETRYING,
    (Status.WAITING, Event.BLOCKED): Status.PARKED,
    (Status.WAITING, Event.DELIVERED): Status.DONE,
    (Status.WAITING, Event.RETRY): Status.RETRYING,
    (Status.WAITING, Event.BURIED): Status.DEAD,
    (Status.WAITING, Event.DEFERRED): Status.WAITING,
    (Status.WAITING, Event.QUARANTINE): Status.QUARANTINED,
    (Status.RETRYING, Event.RETRY): Status.RETRYING,
    (Status.RETRYING, Event.BLOCKED): Status.PARKED,
    (Status.RETRYING, Event.DELIVERED): Status.DONE,
    (Status.RETRYING, Event.BURIED): Status.DEAD,
    (Status.RETRYING, Event.DEFERRED): Status.WAITING,  # a row of the sweeper that was replayed
    (Status.RETRYING, Event.QUARANTINE): Status.QUARANTINED,
    (Status.PARKED, Event.PROMOTED): Status.RETRYING,
    (Status.PARKED, Event.DELIVERED): Status.DONE,  # its receipt was found, or a batch went behind its head
    (Status.PARKED, Event.DISCARDED): Status.DONE,
    (Status.PARKED, Event.BLOCKED): Status.PARKED,
    (Status.DEAD, Event.REPLAYED): Status.RETRYING,
    (Status.DEAD, Event.DISCARDED): Status.DONE,
    (Status.DEAD, Event.DELIVERED): Status.DONE,  # a receipt outranks dead
    (Status.QUARANTINED, Event.RELEASED): Status.RETRYING,
    (Status.QUARANTINED, Event.REPLAYED): Status.RETRYING,
    (Status.QUARANTINED, Event.DISCARDED): Status.DONE,
    (Status.QUARANTINED, Event.BLOCKED): Status.PARKED,  # released behind an earlier row of its key
    (Status.DONE, Event.REPLAYED): Status.RETRYING,
}


def transition(status: Status, event: Event) -> Status:
    """Give the status after `event`. Raises InvariantViolated for a pair that the table does not list."""
    after = TRANSITIONS.get((status, event))
    if after is None:
        raise InvariantViolated(f"a delivery that is {status} cannot be {event}")
    return after


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery row as read back; times are the database's, aware and in UTC."""

    owner_id: int  # subscription id, or consumer id in the inbox
    log_id: int  # inbox: the row's own id
    message_id: UUID
    topic: str
    key: str | None
    status: Status
    cause: str
    attempts: int
    max_retry: int
    generation: int
    next_retry_at: datetime | None = None
    error_code: str | None = None
    last_error: str | None = None
    first_failed_at: datetime | None = None
