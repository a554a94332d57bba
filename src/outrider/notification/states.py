"""The states of a record, and which event may lead from which to which.

Invariant: a pair of state and event that the table does not list is refused, so also every event in a state that this
version does not know (NT-16). Source: spec/notification.md §3, T1 to T18.
"""

from enum import StrEnum
from typing import Final

from outrider.core.errors import InvariantViolated


class Status(StrEnum):
    """Where a record stands."""

    PENDING = "pending"
    FAILED = "failed"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    SKIPPED = "skipped"
    MERGED = "merged"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


class Event(StrEnum):
    """What happens to a record."""

    ACCEPTED = "accepted"
    TAKEN = "taken"
    HELD = "held"
    RELEASED = "released"
    BEGUN = "begun"
    SUCCEEDED = "succeeded"
    FAILED_FOR_NOW = "failed_for_now"
    FORM_REFUSED = "form_refused"
    UNCLEAR = "unclear"
    GIVEN_UP = "given_up"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    MERGED = "merged"
    REOPENED = "reopened"
    REPLAYED = "replayed"
    RESOLVED = "resolved"
    LATE_SUCCESS = "late_success"
    WINDOW_CLOSED = "window_closed"


WAITING: Final = frozenset({Status.PENDING, Status.FAILED})
"""Not begun, or between two attempts: what `claim` looks at."""
ENDED: Final = frozenset(Status) - WAITING - {Status.SENDING}
"""Final until a person, or T14, T16, T17, says otherwise."""
KNOWN: Final = frozenset(str(one) for one in Status)

_OUTCOMES: Final[tuple[tuple[frozenset[Status], Event, frozenset[Status]], ...]] = (
    (WAITING, Event.BEGUN, frozenset({Status.SENDING})),  # T3
    (frozenset({Status.SENDING}), Event.SUCCEEDED, frozenset({Status.SENT})),  # T4
    (frozenset({Status.SENDING}), Event.FAILED_FOR_NOW, frozenset({Status.FAILED})),  # T5
    (frozenset({Status.SENDING}), Event.FORM_REFUSED, frozenset({Status.FAILED})),  # T6
    (frozenset({Status.SENDING}), Event.UNCLEAR, frozenset({Status.FAILED, Status.UNKNOWN})),  # T7, T8
    (frozenset({Status.SENDING}), Event.GIVEN_UP, frozenset({Status.DEAD, Status.UNKNOWN})),  # T9
    (WAITING | {Status.SENDING}, Event.SKIPPED, frozenset({Status.SKIPPED})),  # T10
    (WAITING, Event.EXPIRED, frozenset({Status.DEAD, Status.CANCELED, Status.UNKNOWN})),  # T11
    (WAITING, Event.WITHDRAWN, frozenset({Status.CANCELED})),  # T12
    (frozenset({Status.PENDING}), Event.MERGED, frozenset({Status.MERGED})),  # T13
    (frozenset({Status.SKIPPED}), Event.REOPENED, frozenset({Status.PENDING})),  # T14
    (ENDED | {Status.FAILED}, Event.REPLAYED, frozenset({Status.PENDING})),  # T15
    (frozenset({Status.UNKNOWN}), Event.RESOLVED, frozenset({Status.SENT, Status.DEAD})),  # T16
    (frozenset({Status.FAILED, Status.UNKNOWN, Status.DEAD}), Event.LATE_SUCCESS, frozenset({Status.SENT})),  # T17
    (WAITING, Event.WINDOW_CLOSED, frozenset({Status.UNKNOWN})),  # T18, also of one that was resumed
)
_SAME: Final = (Event.TAKEN, Event.HELD, Event.RELEASED)  # T2

TRANSITIONS: Final[dict[tuple[str | None, Event], frozenset[Status]]] = {
    (None, Event.ACCEPTED): frozenset({Status.PENDING}),  # T1
    **{(status, event): frozenset({status}) for event in _SAME for status in WAITING},
    **{(status, event): after for before, event, after in _OUTCOMES for status in before},
}
"""The states that may follow, for each state (None: no record yet) and event."""


def transition(status: str | None, event: Event, after: Status) -> Status:
    """Give `after`. Raises InvariantViolated where the table does not list it for this state and event."""
    if not may(status, event) or after not in TRANSITIONS[status, event]:
        raise InvariantViolated(f"a record that is {status} cannot become {after} when {event}")
    return after


def may(status: str | None, event: Event) -> bool:
    """Whether the event is listed for this state at all."""
    return (status, event) in TRANSITIONS
