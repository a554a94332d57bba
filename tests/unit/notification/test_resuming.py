"""What a person does with a destination is told, too."""

import pytest

from outrider.core.events import NotificationDestinationClosed
from outrider.core.notification.codes import Code, Outcome
from outrider.notification.operations.channels import ChannelOperations
from outrider.notification.operations.destinations import DestinationOperations
from outrider.runtime.sessions import SessionPool
from outrider.testing.clock import ManualClock
from tests.unit.notification.desk import START
from tests.unit.notification.test_notifier import KEYED, office


async def test_a_resumed_destination_says_that_it_takes_sends_again() -> None:
    """NT-26, NT-27: what its answers switched off a person switches on, and one event tells of it."""
    made, (bot,) = office(ManualClock(START), KEYED)
    await made.give_address("c0")
    await made.ask("c0")
    bot.answer(Outcome.PERMANENT_FAIL, Code.DESTINATION_GONE)
    assert (await made.notifier.sweep()).skipped == 1
    verbs = DestinationOperations(made.desk, SessionPool(made.storage), "operator")
    (place,) = await verbs.search()
    assert place.state == "disabled"
    assert made.sink.of(NotificationDestinationClosed) == []
    await verbs.resume(place.key, "mended")
    (told,) = made.sink.of(NotificationDestinationClosed)
    assert (told.channel, told.label) == ("c0", place.label)
    assert (await verbs.search())[0].state == "closed"


@pytest.mark.parametrize("by_test", [False, True])
async def test_settings_that_reopen_a_destination_say_so(*, by_test: bool) -> None:
    """NT-24, NT-27: a changed setting or a good test send opens it, and one event tells of it; a second one has no more to
    open.
    """
    made, (bot,) = office(ManualClock(START), KEYED)
    await made.give_address("c0")
    await made.ask("c0")
    bot.answer(Outcome.PERMANENT_FAIL, Code.DESTINATION_GONE)
    assert (await made.notifier.sweep()).skipped == 1
    verbs = ChannelOperations(made.desk, SessionPool(made.storage), "operator", None)
    for _ in range(2):
        await (verbs.test("anna", "c0") if by_test else verbs.put("anna", "c0", {}))
        assert len(made.sink.of(NotificationDestinationClosed)) == 1
