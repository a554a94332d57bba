"""The states of a record."""

import pytest

from outrider.core.errors import InvariantViolated
from outrider.notification.states import ENDED, KNOWN, TRANSITIONS, WAITING, Event, Status, may, transition

S = Status
LISTED: dict[tuple[Status | None, Event], set[Status]] = {
    (None, Event.ACCEPTED): {S.PENDING},
    **{(status, event): {status} for status in WAITING for event in (Event.TAKEN, Event.HELD, Event.RELEASED)},
    **{(status, Event.BEGUN): {S.SENDING} for status in WAITING},
    (S.SENDING, Event.SUCCEEDED): {S.SENT},
    (S.SENDING, Event.FAILED_FOR_NOW): {S.FAILED},
    (S.SENDING, Event.FORM_REFUSED): {S.FAILED},
    (S.SENDING, Event.UNCLEAR): {S.FAILED, S.UNKNOWN},
    (S.SENDING, Event.GIVEN_UP): {S.DEAD, S.UNKNOWN},
    **{(status, Event.SKIPPED): {S.SKIPPED} for status in (S.PENDING, S.FAILED, S.SENDING)},
    **{(status, Event.EXPIRED): {S.DEAD, S.CANCELED, S.UNKNOWN} for status in WAITING},
    **{(status, Event.WITHDRAWN): {S.CANCELED} for status in WAITING},
    (S.PENDING, Event.MERGED): {S.MERGED},
    (S.SKIPPED, Event.REOPENED): {S.PENDING},
    **{(status, Event.REPLAYED): {S.PENDING} for status in S if status not in {S.PENDING, S.SENDING}},
    (S.UNKNOWN, Event.RESOLVED): {S.SENT, S.DEAD},
    **{(status, Event.LATE_SUCCESS): {S.SENT} for status in (S.FAILED, S.UNKNOWN, S.DEAD)},
    **{(status, Event.WINDOW_CLOSED): {S.UNKNOWN} for status in WAITING},
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("status", [None, *Status, "from_tomorrow"])
def test_every_state_times_event(status: str | None, event: Event) -> None:
    """NT-16, T1 to T18: what the table does not list is refused, and so is everything in a state that is not known."""
    allowed = (
        LISTED.get((None if status is None else Status(status), event), set()) if status in {None, *KNOWN} else set()
    )
    assert may(status, event) is bool(allowed)
    for after in Status:
        if after in allowed:
            assert transition(status, event, after) is after
        else:
            with pytest.raises(InvariantViolated):
                transition(status, event, after)


def test_every_state_is_waiting_sending_or_ended() -> None:
    """NT-16: and only people, reopening, resolving and a late success lead out of an end."""
    assert {*WAITING, S.SENDING, *ENDED} == set(Status)
    leaving = {event for status, event in TRANSITIONS if status in ENDED}
    assert leaving == {Event.REOPENED, Event.REPLAYED, Event.RESOLVED, Event.LATE_SUCCESS}
