"""What a relay tells of: each boundary that a message crosses, with ids, lane, epoch and durations, and never a body."""

import dataclasses

from outrider.core.events import (
    AdvanceRefused,
    BatchRead,
    CursorAdvanced,
    DrainEnded,
    DrainStarted,
    LaneEvent,
    LaneGivenBack,
    LaneTaken,
    MessageEvent,
    MessageParked,
    MessageUnparked,
    PublishAcknowledged,
    PublishRefused,
    PublishStarted,
    TickOpened,
    WakeupHeard,
)
from outrider.core.outcome import Refusal, Refused
from tests.integration.relay.rig import TOPIC, Rig

LATER = Refused(Refusal.TRANSIENT, "publish.refused", "try later")
BODY = "a body that nobody tells of"


async def test_a_message_that_goes_straight_through_is_told_of_at_each_boundary(rig: Rig) -> None:
    """OB-93: in the order of the road, under one lane and epoch, with what was read, sent and written."""
    rig.database.add("a", "b", "c", body=BODY)
    relay = await rig.started()
    advanced = await rig.events.wait_for(CursorAdvanced, lambda event: event.passed == 3)
    assert await relay.stop(5)
    road = [event for event in rig.events.events if isinstance(event, LaneEvent)]
    kinds = [type(event) for event in road if not isinstance(event, TickOpened)]
    assert kinds == [LaneTaken, BatchRead, PublishStarted, PublishAcknowledged, CursorAdvanced, LaneGivenBack]
    assert {(event.service, event.subscription, event.lane, event.epoch) for event in road} == {
        ("orders", "relay", 0, 1)
    }
    _, read, started, acknowledged, _, _ = (event for event in road if not isinstance(event, TickOpened))
    assert isinstance(read, BatchRead)
    assert isinstance(started, PublishStarted)
    assert isinstance(acknowledged, PublishAcknowledged)
    assert (read.messages, read.last_id, started.first_id, acknowledged.last_id) == (3, 3, 1, 3)
    assert acknowledged.destinations == {TOPIC: 3}
    assert min(read.duration, acknowledged.duration, advanced.duration) >= 0
    assert [type(event) for event in rig.events.events if isinstance(event, DrainStarted | DrainEnded)] == [
        DrainStarted, DrainEnded,
    ]  # fmt: skip
    assert BODY not in str([dataclasses.asdict(event) for event in rig.events.events])


async def test_a_tick_is_told_of_by_its_snapshot(pg: Rig) -> None:
    """OB-93: where a tick ends, on PostgreSQL."""
    pg.database.add("a")
    await pg.started()
    await pg.events.wait_for(TickOpened, lambda event: ":" in event.target)


async def test_a_hint_is_told_of(pg: Rig) -> None:
    """OB-93, OB-43: each LISTEN is one, and so is a NOTIFY."""
    await pg.started()
    await pg.events.wait_for(WakeupHeard)
    mark = pg.events.mark()
    pg.database.run("NOTIFY orders")
    await pg.events.wait_for(WakeupHeard, since=mark)


async def test_a_refused_message_is_told_of(rig: Rig) -> None:
    """OB-93: with code and kind; each event of a message has its id, type and destination."""
    refusals = [LATER]
    rig.recorder.answer = lambda row: refusals.pop() if refusals and row[3] == "a" else None
    ids = rig.database.add("a", "a", body=BODY)
    await rig.started()
    refused = await rig.events.wait_for(PublishRefused)
    assert (refused.code, refused.refusal, refused.message_id) == ("publish.refused", "transient", ids[0])
    await rig.recorder.until(2)
    told = [event for event in rig.events.events if isinstance(event, MessageEvent)]
    assert {(event.reader, event.type, event.destination) for event in told} == {("relay", "order.placed", TOPIC)}


async def test_a_message_whose_pause_ended_is_told_of(rig: Rig) -> None:
    """OB-93, OB-42: parked behind a pause, then the head of its key again."""
    rig.database.pause("destination", TOPIC)
    (message_id,) = rig.database.add("a")
    await rig.started()
    parked = await rig.events.wait_for(MessageParked)
    assert (parked.message_id, parked.cause) == (message_id, "destination")
    rig.database.resume()
    unparked = await rig.events.wait_for(MessageUnparked)
    assert unparked.message_id == message_id


async def test_a_position_that_cannot_be_written_is_told_of(rig: Rig) -> None:
    """OB-93, OB-41: by its code; here another owner has raised the epoch."""
    await rig.started()
    await rig.events.wait_for(LaneTaken)
    rig.database.run("UPDATE {outbox_cursor} SET epoch = epoch + 1")
    rig.database.add("a")
    refused = await rig.events.wait_for(AdvanceRefused)
    assert (refused.code, refused.epoch) == ("lease.lost", 1)
