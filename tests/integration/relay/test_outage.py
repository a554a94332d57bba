"""No answer: nothing is decided, nothing is counted, the same messages are sent again in order."""

from outrider.core.events import MessageDied, MessageParked, PublishUnknown, RetryScheduled
from outrider.core.log_row import LogRow
from outrider.core.outcome import PublishOutcome, Unknown
from outrider.relay.settings import RelaySettings
from tests.integration.relay.rig import QUICK, Rig, topic_of

SILENT = Unknown("broker.unavailable", "no answer")


async def test_an_outage_writes_nothing_and_counts_nothing(rig: Rig) -> None:
    """OB-40, OB-28: the lane stands still while the broker is down, then sends the same ids in the same order."""
    await rig.started(RelaySettings(batch_size=4, retry=QUICK))
    first = rig.database.add("a", "b")
    await rig.recorder.until(2)
    rig.recorder.down = True
    added = rig.database.add(*(f"key-{n % 3}" for n in range(30)), max_retry=0)
    await rig.events.wait_for(PublishUnknown, lambda _: len(rig.events.of(PublishUnknown)) > 3)
    assert rig.database.statuses() == {}
    assert rig.database.rows("SELECT passed FROM {outbox_cursor}")[0][0] <= 2
    rig.recorder.down = False
    await rig.recorder.until(32)
    assert rig.recorder.ids() == first + added
    assert not rig.events.of(MessageDied)
    assert not rig.events.of(RetryScheduled)


async def test_an_outage_restarts_slowly(rig: Rig) -> None:
    """OB-40: after an unknown the messages come back as 1, 2, 4."""
    rig.recorder.down = True
    await rig.started(RelaySettings(batch_size=50, retry=QUICK))
    rig.recorder.down = False
    state = {"left": 2}

    def answer(_: LogRow) -> PublishOutcome | None:
        return SILENT if len(rig.recorder.batches) <= state["left"] else None

    rig.recorder.answer = answer
    added = rig.database.add(*(f"key-{n}" for n in range(20)))
    await rig.recorder.until(20)
    assert rig.recorder.ids() == added
    assert [len(batch) for batch in rig.recorder.batches[:6]] == [20, 1, 1, 2, 4, 8]


async def test_an_acknowledged_message_behind_an_unknown_one_is_sent_again(rig: Rig) -> None:
    """OB-38, OB-40: after the first unknown message of a key nothing later of it counts; other keys are not repeated."""
    script: list[PublishOutcome] = [SILENT]
    rig.recorder.answer = lambda row: script.pop() if script and row[4] == b"first" else None
    with rig.database.begin() as tx:
        first, second, other = tx.add("a", body="first"), tx.add("a", body="second"), tx.add("b", body="other")
    await rig.started()
    await rig.recorder.until(4)
    assert rig.recorder.ids() == [second, other, first, second]


async def test_a_silent_destination_is_suspended_while_others_answer(rig: Rig) -> None:
    """OB-40: its messages are parked uncounted behind a head that probes alone; all follow in order once it answers."""
    silent = {"mute"}
    rig.recorder.answer = lambda row: SILENT if topic_of(row) in silent else None
    await rig.started(RelaySettings(batch_size=3, retry=QUICK))
    mute = rig.database.add("a", "b", "a", None, topic="mute")
    fine = rig.database.add("a", "b", "c")
    await rig.recorder.until(3)
    assert rig.recorder.ids() == fine
    more = rig.database.add("d")
    await rig.recorder.until(4)
    await rig.events.wait_for(MessageParked, lambda event: event.cause == "suspended")
    assert rig.database.rows("SELECT DISTINCT attempts FROM {outbox_delivery}") == [(0,)]
    silent.clear()
    await rig.recorder.until(8)
    assert [one for one in rig.recorder.ids() if one in mute and one in (mute[0], mute[2])] == [mute[0], mute[2]]
    assert set(rig.recorder.ids()) == {*mute, *fine, *more}
