"""Messages that kill the relay, or never get an answer: isolated, and never in the way of others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from outrider.core.events import LeaseRenewed, MessageDied, SuspectFound
from outrider.core.log_row import LogRow
from outrider.core.outcome import Published, PublishOutcome, Unknown
from outrider.core.retry import RetryPolicy
from outrider.relay.settings import RelaySettings
from tests.integration.relay.rig import QUICK, Recorder, Rig, topic_of

SOON = RetryPolicy(delays=(0.01,), jitter="none", suspect_delays=(0.001, 0.001))
LATER = RetryPolicy(delays=(0.01,), jitter="none", suspect_delays=(60.0, 60.0))
SHORT = timedelta(milliseconds=10)
SILENT = Unknown("broker.unavailable", "no answer")


class Killed(BaseException):
    """The process is gone, as by SIGKILL: nothing is written any more."""


@dataclass(eq=False)
class Deadly(Recorder):
    """Dies of a message whose body is `poison`, before anything of its batch is taken."""

    fatal: bool = True
    lives: int | None = None
    """How many publish calls to outlive, whatever they carry."""
    renewals: Callable[[], Awaitable[object]] | None = None
    """What to wait for when connecting."""

    async def start(self) -> None:
        if self.renewals is not None:
            await self.renewals()

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:
        if self.lives == 0 or (self.fatal and any(row[4] == b"poison" for row in rows)):
            raise Killed
        self.lives = self.lives and self.lives - 1
        return await super().publish(rows, deadline_seconds, urgent=urgent)


async def dies(rig: Rig, retry: RetryPolicy = QUICK, size: int = 10, lease: timedelta = timedelta(seconds=15)) -> bool:
    """Run a relay until it dies or has no more to do; what it held is free afterwards. Says whether it died."""
    settings = RelaySettings(batch_size=size, retry=retry, publish_timeout=SHORT, lease=lease)
    died = False
    try:
        await rig.relay(settings).run_once()
    except* Killed:
        died = True
    if died:
        rig.database.run("UPDATE {outbox_cursor} SET lease_until = NULL, owner = NULL")
    return died


@pytest.fixture
def deadly(rig: Rig) -> Deadly:
    rig.recorder = Deadly()
    return rig.recorder


async def test_a_message_that_kills_the_relay_is_parked_at_the_third_start(rig: Rig, deadly: Deadly) -> None:
    """OB-36, H45: the second start goes one message at a time and marks it; the third sets it aside and goes on."""
    with rig.database.begin() as tx:
        poison = tx.add("a", body="poison")
        behind = tx.add("a", body="behind")
        other = tx.add("b", body="other")
    assert [await dies(rig) for _ in range(2)] == [True, True]
    assert deadly.ids() == []
    assert not await dies(rig)
    assert deadly.ids() == [other]
    assert [event.message_id for event in rig.events.of(SuspectFound)] == [poison]
    rows = rig.database.rows("SELECT status, cause, error_code, attempts FROM {outbox_delivery} ORDER BY log_id")
    assert rows == [("retrying", "suspect", "suspect.crash", 0), ("parked", "key", None, 0)]
    assert rig.database.rows("SELECT starts, marked_id FROM {outbox_cursor}") == [(0, None)]
    assert behind not in deadly.ids(), "its key is held"


async def test_what_goes_before_it_carefully_is_settled_and_innocent(rig: Rig, deadly: Deadly) -> None:
    """OB-36: an innocent message of the same batch goes out once; only the culprit is set aside, one start later."""
    with rig.database.begin() as tx:
        before = [tx.add(f"key-{n}") for n in range(4)]
        tx.add("p", body="poison")
        after = [tx.add(f"key-{n}") for n in range(4)]
    assert [await dies(rig) for _ in range(4)] == [True, True, True, False]
    assert deadly.ids() == before + after
    assert rig.database.rows("SELECT cause FROM {outbox_delivery}") == [("suspect",)]


async def test_a_relay_killed_from_outside_makes_no_suspects(rig: Rig, deadly: Deadly) -> None:
    """OB-36: killed again and again, with one message through each time: no message is found at a third start."""
    added = rig.database.add(*(f"key-{n}" for n in range(12)))
    for _ in range(8):
        deadly.lives = 1
        assert await dies(rig, size=1)
    deadly.lives = None
    assert not await dies(rig, size=1)
    assert list(dict.fromkeys(deadly.ids())) == added
    assert rig.database.statuses() == {}
    assert not rig.events.of(SuspectFound)


async def test_an_owner_that_renews_while_it_connects_is_counted(rig: Rig, deadly: Deadly) -> None:
    """OB-36: nothing was sent yet when the lease was renewed, and then it died of what it sent."""
    deadly.renewals = lambda: rig.events.wait_for(LeaseRenewed, since=rig.events.mark())
    with rig.database.begin() as tx:
        poison, after = tx.add("p", body="poison"), tx.add("z")
    lease = timedelta(seconds=3)
    deaths = [await dies(rig, lease=lease) for _ in range(3)]
    assert deaths == [True, True, False]
    assert [event.message_id for event in rig.events.of(SuspectFound)] == [poison]
    assert deadly.ids() == [after]


async def test_a_suspect_is_dead_only_if_each_try_alone_kills_again(rig: Rig, deadly: Deadly) -> None:
    """OB-36: tried alone twice more; dead with its code, its key goes on, and a replay finds all that it needs."""
    with rig.database.begin() as tx:
        poison, behind = tx.add("a", body="poison"), tx.add("a", body="behind")
    deaths = [await dies(rig, SOON) for _ in range(9)]
    assert sum(deaths) == 4, "two before it is suspected, and one for each try alone"
    assert [event.message_id for event in rig.events.of(MessageDied)] == [poison]
    rows = rig.database.rows("SELECT status, error_code FROM {outbox_delivery} ORDER BY log_id")
    assert rows[0] == ("dead", "suspect.crash")
    assert deadly.ids() == [behind]


@pytest.mark.usefixtures("deadly")
async def test_tries_alone_count_where_the_lane_dies_at_each_start(rig: Rig) -> None:
    """OB-36: the mark that a try alone leaves finds a suspect, whose tries are counted already and go on from there."""
    with rig.database.begin() as tx:
        tx.add("a", body="poison")
    deaths = []
    for _ in range(7):
        deaths.append(await dies(rig, LATER))
        rig.database.run("UPDATE {outbox_delivery} SET next_retry_at = updated_at")
    assert deaths == [True, True, False, True, True, False, False]
    assert len(rig.events.of(SuspectFound)) == len(rig.events.of(MessageDied)) == 1


async def test_an_innocent_suspect_is_delivered_at_its_next_try(rig: Rig, deadly: Deadly) -> None:
    """OB-36: and what waited behind it follows in order."""
    with rig.database.begin() as tx:
        added = [tx.add("a", body="poison"), tx.add("a", body="behind")]
    assert [await dies(rig, SOON) for _ in range(2)] == [True, True]
    deadly.fatal = False
    for _ in range(3):
        assert not await dies(rig, SOON)
    assert deadly.ids() == added
    assert set(rig.database.statuses()) == {"done"}  # the one behind has a row where it was read meanwhile
    assert not rig.events.of(MessageDied)


async def test_a_due_delivery_that_kills_the_relay_is_set_aside_too(rig: Rig, deadly: Deadly) -> None:
    """OB-36: a message that comes back from a pause and kills is found in the same way; its attempts are kept."""
    rig.database.pause("destination", "orders")
    with rig.database.begin() as tx:
        tx.add("a", body="poison")
        other = tx.add("b")
    assert not await dies(rig)
    rig.database.resume()
    deaths = [await dies(rig) for _ in range(5)]
    assert deaths[-1] is False
    assert deadly.ids() == [other]
    assert ("retrying", "suspect") in rig.database.rows("SELECT status, cause FROM {outbox_delivery}")


def come_due(rig: Rig, which: str, more: str = "") -> None:
    """Have deliveries that wait be due."""
    now = "clock_timestamp()" if rig.database.is_postgres else "UTC_TIMESTAMP(6)" if rig.database.is_mysql else "0"
    rig.database.run(f"UPDATE {{outbox_delivery}} SET next_retry_at = {now}{more} WHERE {which}")


async def test_a_silent_message_that_is_due_at_each_start_hides_no_killer(rig: Rig, deadly: Deadly) -> None:
    """OB-36, OB-40: no answer to a delivery says nothing of what kills behind it."""
    deadly.answer = lambda row: SILENT if row[4] == b"mute" else None
    with rig.database.begin() as tx:
        silent = tx.add("s", body="mute", deliver_in=timedelta(hours=1))
    assert not await dies(rig, SOON)
    come_due(rig, "status = 'waiting'", ", status = 'retrying', cause = 'silent', error_code = 'suspect.unknown'")
    with rig.database.begin() as tx:
        innocent, poison, after = tx.add("i"), tx.add("p", body="poison"), tx.add("z")
    deaths = [await dies(rig) for _ in range(4)]
    assert deaths == [True, True, True, False]
    assert [event.message_id for event in rig.events.of(SuspectFound)] == [poison]
    assert [one for one in deadly.ids() if one != silent] == [innocent, after]


async def test_what_is_delivered_late_at_each_start_hides_no_killer(rig: Rig, deadly: Deadly) -> None:
    """OB-36: deliveries that are due go before the log at every start; their answers say nothing of what comes next."""
    with rig.database.begin() as tx:
        late = [tx.add(f"late-{n}", deliver_in=timedelta(hours=1)) for n in range(5)]
    assert not await dies(rig)
    waiting = [log_id for (log_id,) in rig.database.rows("SELECT log_id FROM {outbox_delivery} ORDER BY log_id")]
    with rig.database.begin() as tx:
        poison, after = tx.add("p", body="poison"), tx.add("z")
    deaths = []
    for log_id in waiting:
        come_due(rig, f"log_id = {log_id}")
        deaths.append(await dies(rig))
    assert deaths == [True, True, False, False, False]
    assert [event.message_id for event in rig.events.of(SuspectFound)] == [poison]
    assert sorted(set(deadly.ids())) == sorted([*late, after])


async def test_a_message_without_an_answer_is_set_aside_once_the_next_key_passes(rig: Rig) -> None:
    """OB-40, H46: after three tries; its key is held, others go on, it is never dead by itself, and goes out once it can."""
    mute = {"mute", "behind"}  # of one partition: no answer to the one, none to the other
    rig.recorder.answer = lambda row: SILENT if row[4].decode() in mute else None
    with rig.database.begin() as tx:
        silent, behind = tx.add("a", body="mute"), tx.add("a", body="behind")
        others = [tx.add(f"key-{n}") for n in range(20)]
    await rig.started(RelaySettings(batch_size=5, retry=SOON))
    await rig.recorder.until(20)
    assert rig.recorder.ids() == others
    found = await rig.events.wait_for(SuspectFound)
    assert (found.message_id, found.code) == (silent, "suspect.unknown")
    tries = sum(silent in batch for batch in rig.recorder.batches)
    assert tries >= 3
    mute.clear()
    await rig.recorder.until(22)
    assert rig.recorder.ids()[20:] == [silent, behind]
    assert not rig.events.of(MessageDied)


async def test_a_message_without_an_answer_is_set_aside_while_one_goes_at_a_time(rig: Rig) -> None:
    """OB-40, OB-36, OB-5: it ends the caution, so that others are read, and show that it alone gets none."""
    rig.recorder.answer = lambda row: SILENT if row[4] == b"mute" else None
    assert not await dies(rig)
    rig.database.run("UPDATE {outbox_cursor} SET starts = 1")
    with rig.database.begin() as tx:
        silent = tx.add("a", body="mute")
        others = [tx.add(f"key-{n}") for n in range(6)]
    await rig.started(RelaySettings(batch_size=5, retry=SOON))
    found = await rig.events.wait_for(SuspectFound)
    assert (found.message_id, found.code) == (silent, "suspect.unknown")
    await rig.recorder.until(6)
    assert rig.recorder.ids() == others


async def test_the_silent_head_of_a_suspended_destination_lets_the_next_key_try(rig: Rig) -> None:
    """OB-40: its destination answers others, so only that message stays behind."""

    def answer(row: LogRow) -> PublishOutcome | None:
        return SILENT if row[4] == b"mute" or (topic_of(row) == "far" and len(rig.recorder.batches) == 1) else None

    rig.recorder.answer = answer
    with rig.database.begin() as tx:
        silent = tx.add("a", body="mute", topic="far")
        far = [tx.add(f"key-{n}", topic="far") for n in range(6)]
        near = [tx.add(f"key-{n}") for n in range(6)]
    relay = await rig.started(RelaySettings(batch_size=50, retry=SOON))
    await rig.recorder.until(12)
    assert sorted(rig.recorder.ids()) == sorted(far + near)
    found = await rig.events.wait_for(SuspectFound)
    assert found.message_id == silent
    await relay.stop(5)
    assert rig.database.rows("SELECT cause, error_code FROM {outbox_delivery} WHERE status = 'retrying'") == [
        ("silent", "suspect.unknown")
    ]
