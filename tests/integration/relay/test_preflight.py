"""Destinations are asked for when a lane starts, beside its work."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from outrider.core.events import DestinationPaused, DestinationResumed, MessageParked
from outrider.core.outcome import Refusal, Refused
from outrider.relay.relay import Relay
from outrider.relay.settings import RelaySettings
from tests.integration.relay.rig import QUICK, TOPIC, Rig

MISSING = Refused(Refusal.CONFIGURATION, "publish.refused", "no such topic")
OFTEN = RelaySettings(retry=QUICK, preflight_interval=timedelta(milliseconds=50))


async def started(rig: Rig, destinations: Collection[str]) -> Relay:
    relay = rig.relay(OFTEN, destinations=lambda: destinations)
    await relay.start()
    return relay


async def test_a_destination_that_cannot_take_messages_is_paused_before_any_is_sent(rig: Rig) -> None:
    """OB-34, OB-39: it is asked for at start; its messages are parked, never tried, and go once it is right."""
    rig.recorder.wrong["gone"] = MISSING
    await started(rig, {"gone", TOPIC})
    paused = await rig.events.wait_for(DestinationPaused)
    assert (paused.destination, paused.code, paused.automatic) == ("gone", "publish.refused", True)
    (waits,) = rig.database.add("a", topic="gone")
    fine = rig.database.add("a", "b")
    await rig.recorder.until(2)
    await rig.events.wait_for(MessageParked, lambda event: event.cause == "destination")
    assert rig.recorder.ids() == fine
    assert not any(waits in batch for batch in rig.recorder.batches)
    rig.recorder.wrong.clear()
    await rig.events.wait_for(DestinationResumed)
    await rig.recorder.until(3)
    assert rig.recorder.ids() == [*fine, waits]
    assert len(rig.events.of(DestinationPaused)) == 1


async def test_nobody_waits_for_another_destination(rig: Rig) -> None:
    """OB-34: while the preflight has no answer, what can be sent is sent."""
    rig.recorder.hold_check = asyncio.Event()
    rig.database.add("a")
    await started(rig, {"slow", TOPIC})
    await rig.recorder.until(1)
    assert rig.recorder.asked == [{"slow", TOPIC}]
    rig.recorder.hold_check.set()


async def test_a_destination_is_asked_for_once_and_as_soon_as_it_is_known(rig: Rig) -> None:
    """OB-34, OB-97: types are added while the relay runs; one that was right is not asked for again and again."""
    known = {TOPIC}
    await started(rig, known)
    await rig.recorder.until_asked(1)
    rig.recorder.wrong["new"] = MISSING
    known.add("new")
    await rig.events.wait_for(DestinationPaused)
    await rig.recorder.until_asked(3)
    assert rig.recorder.asked[:3] == [{TOPIC}, {"new"}, {"new"}]


async def test_a_pause_left_by_an_earlier_owner_ends_at_start(rig: Rig) -> None:
    """OB-39: what was paused automatically and is right by now is not waited for."""
    rig.recorder.wrong["gone"] = MISSING
    relay = await started(rig, {"gone"})
    await rig.events.wait_for(DestinationPaused)
    await relay.stop(5)
    rig.recorder.wrong.clear()
    rig.database.add("a", topic="gone")
    late = RelaySettings(retry=QUICK, preflight_interval=timedelta(hours=1))
    await rig.relay(late, destinations=lambda: {"gone"}).start()
    await rig.recorder.until(1)
    assert rig.database.rows("SELECT * FROM {outbox_pause}") == []


async def test_what_a_person_paused_is_left_alone(rig: Rig) -> None:
    """OB-39, OB-42: a preflight neither takes over nor ends a person's pause."""
    rig.database.pause("destination", topic="gone")
    rig.database.pause("destination", topic=TOPIC)
    rig.recorder.wrong["gone"] = MISSING
    rig.database.add("a")
    relay = await started(rig, {"gone", TOPIC})
    await rig.recorder.until_asked(1)
    await rig.events.wait_for(MessageParked)
    await relay.stop(5)
    assert not rig.events.of(DestinationPaused)
    assert not rig.events.of(DestinationResumed)
    assert len(rig.database.rows("SELECT * FROM {outbox_pause} WHERE NOT automatic")) == 2
