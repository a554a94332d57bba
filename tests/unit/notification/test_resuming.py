"""What a person does with a destination is told, too."""

from outrider.core.events import NotificationDestinationClosed
from outrider.core.notification.codes import Code, Outcome
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
