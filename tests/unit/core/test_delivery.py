"""The state machine of exception rows, over every pair."""

from itertools import product

import pytest

from outrider.core.delivery import BLOCKING, TRANSITIONS, UNFINISHED, Event, Status, transition
from outrider.core.errors import InvariantViolated

ALLOWED = {
    "waiting": "due→retrying blocked→parked delivered→done retry→retrying buried→dead quarantine→quarantined"
    " deferred→waiting",
    "retrying": "retry→retrying blocked→parked delivered→done buried→dead quarantine→quarantined deferred→waiting",
    "parked": "promoted→retrying delivered→done discarded→done blocked→parked",
    "dead": "replayed→retrying discarded→done delivered→done",
    "quarantined": "released→retrying replayed→retrying discarded→done blocked→parked",
    "done": "replayed→retrying",
}
EXPECTED = {
    (status, pair.split("→")[0]): pair.split("→")[1] for status, pairs in ALLOWED.items() for pair in pairs.split()
}


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_state_and_event(status: Status, event: Event) -> None:
    """OB-25: a listed pair leads where it says, every other is refused."""
    expected = EXPECTED.get((str(status), str(event)))
    if expected is None:
        with pytest.raises(InvariantViolated):
            transition(status, event)
    else:
        assert transition(status, event) == expected


def test_what_blocks_is_unfinished() -> None:
    """OB-25: waiting holds nobody behind it."""
    assert set(BLOCKING) < set(UNFINISHED)
    assert Status.WAITING not in BLOCKING
    assert len(TRANSITIONS) == len(EXPECTED)
