"""Publishing in the broker's transactions: nothing twice in the topic, whatever goes wrong when."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio

from outrider.core.errors import BrokerUnavailable, ForeignPosition, LeaseLost, StorageUnavailable
from outrider.core.events import CursorAdvanced, MessageDied, PublishUnknown
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow
from outrider.core.outcome import Published, PublishOutcome, Refusal, Refused, Unknown
from outrider.core.retry import RetryPolicy
from outrider.ports.broker import Mark
from outrider.relay.relay import Relay
from outrider.relay.settings import RelaySettings
from tests.integration.relay.rig import QUICK, Database, Rig

NEVER = Refused(Refusal.PERMANENT, "publish.forbidden", "no")
LATER = Refused(Refusal.TRANSIENT, "publish.refused", "later")


@dataclass
class Topic:
    """What the broker has committed, the mark beside it, and the faults to come."""

    taken: list[LogRow] = field(default_factory=list)
    mark: Mark | None = None
    generation: int = 0
    answers: dict[bytes, list[PublishOutcome]] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    transactions: int = 0

    def bodies(self) -> list[str]:
        return [row[4].decode() for row in self.taken]


class Transacting:
    """A transactional publisher over a `Topic`. A commit follows the next word of `commits`: ok, lost, aborted, crash."""

    prefix_closed = True

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._generation = -1
        self._open: list[LogRow] = []

    async def start(self) -> None:
        return None

    def refuse(self, row: LogRow) -> Refused | None:
        return NEVER if row[4].startswith(b"big") else None

    def takes(self, rows: Sequence[LogRow]) -> bool:
        return not any(map(self.refuse, rows))

    async def fence(self, lane: LaneKey, earlier: Sequence[LaneKey]) -> Mark | None:  # noqa: ARG002
        self._topic.generation += 1
        self._generation = self._topic.generation
        return self._topic.mark

    async def begin(self) -> None:
        if self._generation != self._topic.generation:
            raise LeaseLost("fenced")
        self._topic.transactions += 1
        self._open = []

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:  # noqa: ARG002
        exceptions: dict[int, PublishOutcome] = {}
        for index, row in enumerate(rows):
            if answers := self._topic.answers.get(row[4]):
                exceptions[index] = answers.pop(0)
            else:
                self._open.append(row)
        return Published(exceptions)

    async def commit(self, mark: Mark | None, deadline_seconds: float) -> bool:  # noqa: ARG002
        word = self._topic.commits.pop(0) if self._topic.commits else "ok"
        if word == "aborted":
            return False
        self._topic.taken += self._open
        self._topic.mark = mark
        if word == "crash":
            raise StorageUnavailable("died after the commit")
        return word == "ok"

    async def abort(self) -> None:
        self._open = []

    async def end_transactions(self, lane: LaneKey) -> None:
        """Nobody asks a transactional owner to."""
        raise AssertionError(lane)

    async def probe(self) -> bool:
        return True

    async def check(self, topics: Collection[str]) -> Mapping[str, Refused]:  # noqa: ARG002
        return {}

    async def close(self) -> None:
        return None


@dataclass
class Bench:
    """Relays over one database and one topic."""

    database: Database
    rig: Rig
    topic: Topic = field(default_factory=Topic)

    def relay(self, settings: RelaySettings | None = None) -> Relay:
        relay = self.rig.relay(settings or RelaySettings(batch_size=3, retry=QUICK))
        relay._publishers = lambda _: Transacting(self.topic)
        relay._transactional = True
        return relay

    async def until(self, taken: int) -> None:
        """Run passes until the topic has so many messages."""
        async with asyncio.timeout(10):
            while len(self.topic.taken) < taken:
                await self.relay().run_once()


@pytest_asyncio.fixture
async def bench(database: Database) -> AsyncIterator[Bench]:
    rig = Rig(database)
    yield Bench(database, rig)
    await rig.close()


def add(bench: Bench, *bodies: str, key: str = "a") -> None:
    with bench.database.begin() as tx:
        for body in bodies:
            tx.add(key, body=body)


async def test_many_batches_are_one_transaction(bench: Bench) -> None:
    """OB-101: up to ten full batches while the log has work; then the next transaction."""
    add(bench, *(str(n) for n in range(40)))
    report = await bench.relay().run_once()
    assert (report.published, bench.topic.transactions) == (40, 2)
    assert bench.topic.bodies() == [str(n) for n in range(40)]
    assert bench.database.rows("SELECT passed FROM {outbox_cursor}") == [(40,)]


@pytest.mark.parametrize("word", ["lost", "aborted", "crash"])
async def test_a_commit_without_an_answer_is_settled_by_the_mark(bench: Bench, word: str) -> None:
    """OB-101: committed or not, the mark tells; nothing is in the topic twice, nothing is missing."""
    bench.topic.commits = [word]
    add(bench, "1", "2", "3", "4")
    relay = bench.relay()
    if word == "crash":
        assert (await relay.run_once()).errors == ("storage.unavailable",)
        assert bench.database.rows("SELECT passed FROM {outbox_cursor}") == [(0,)]
    else:
        await relay.start()
        await bench.rig.events.wait_for(CursorAdvanced)
        await relay.stop(5)
    add(bench, "5")
    await bench.until(5)
    await bench.relay().run_once()
    assert bench.topic.bodies() == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("word", ["ok", "lost", "aborted"])
async def test_what_was_read_meanwhile_goes_once_and_in_order(bench: Bench, word: str) -> None:
    """OB-101: also where the transaction before was settled by its mark, sent again, or refused in part."""
    bench.topic.commits = [word, "ok", word]
    bench.topic.answers = {b"5": [LATER]}
    add(bench, *(str(n) for n in range(70)), key="a")
    relay = bench.relay(RelaySettings(batch_size=3, retry=QUICK, outage_backoff_max=timedelta(milliseconds=100)))
    await relay.start()
    await bench.rig.events.wait_for(CursorAdvanced, lambda event: event.passed == 70)
    await relay.stop(5)
    await bench.until(70)
    assert bench.topic.bodies() == [str(n) for n in range(70)]


async def test_refused_messages_leave_the_transaction(bench: Bench) -> None:
    """OB-101, H47: a refusal aborts; the rest goes again without it, and what follows it of its key waits behind it."""
    bench.topic.answers = {b"2": [LATER]}
    add(bench, "1", "2", "3", "big")
    add(bench, "other", key="b")
    relay = bench.relay()
    await relay.start()
    await bench.rig.events.wait_for(MessageDied)
    await bench.rig.events.wait_for(CursorAdvanced, lambda event: event.passed == 5)
    await relay.stop(5)
    await bench.until(4)
    assert bench.topic.bodies() == ["1", "other", "2", "3"]
    assert bench.database.statuses() == {"done": 2, "dead": 1}


async def test_due_deliveries_that_committed_are_not_sent_again(bench: Bench) -> None:
    """OB-101: their transaction's mark lists them; the next owner records them first."""
    bench.topic.answers = {b"1": [LATER]}
    add(bench, "1")
    bench.topic.commits = ["crash"]
    async with asyncio.timeout(10):
        while not bench.topic.taken:
            await bench.relay().run_once()
    assert bench.database.statuses() == {"retrying": 1}
    await bench.relay().run_once()
    assert bench.topic.bodies() == ["1"]
    assert bench.database.statuses() == {"done": 1}


async def test_an_outage_is_waited_for(bench: Bench) -> None:
    """OB-40, OB-101: an unknown message aborts the transaction; all of it goes again, in order."""
    bench.topic.answers = {b"2": [Unknown("x", "y"), Unknown("x", "y")]}
    add(bench, "1", "2", "3")
    relay = bench.relay()
    await relay.start()
    await bench.rig.events.wait_for(CursorAdvanced)
    assert bench.topic.bodies() == ["1", "2", "3"]


async def test_a_lone_message_without_an_answer_holds_back_its_key_alone(bench: Bench) -> None:
    """OB-40, OB-101: nothing of its tick is there to pass beside it, so the next tick's first of another key tries too."""
    bench.topic.answers = {b"1": [Unknown("x", "y")] * 100}
    add(bench, "1")
    relay = bench.relay(RelaySettings(batch_size=3, retry=QUICK, outage_backoff_max=timedelta(milliseconds=100)))
    await relay.start()
    await bench.rig.events.wait_for(PublishUnknown)
    add(bench, "2")
    add(bench, "other", key="b")
    await bench.rig.events.wait_for(CursorAdvanced, lambda event: event.passed == 3)
    await relay.stop(5)
    assert bench.topic.bodies() == ["other"]
    assert bench.database.rows("SELECT cause FROM {outbox_delivery} ORDER BY log_id") == [("silent",), ("key",)]


async def test_a_lone_message_waits_while_nobody_gets_an_answer(bench: Bench) -> None:
    """OB-40, OB-101: that another message gets none either is an outage, which sets nothing aside."""
    bench.topic.answers = {b"1": [Unknown("x", "y")] * 6, b"other": [Unknown("x", "y")] * 2}
    add(bench, "1")
    relay = bench.relay(RelaySettings(batch_size=3, retry=QUICK, outage_backoff_max=timedelta(milliseconds=100)))
    await relay.start()
    await bench.rig.events.wait_for(PublishUnknown)
    add(bench, "other", key="b")
    await bench.rig.events.wait_for(CursorAdvanced, lambda event: event.passed == 2)
    await relay.stop(5)
    assert not bench.topic.answers[b"other"], "it was tried while the first had no answer"
    assert bench.topic.bodies() == ["1", "other"]
    assert bench.database.statuses() == {}


async def test_a_mark_of_another_log_is_refused(bench: Bench) -> None:
    """OB-101: the same tick with a message that this log does not have."""
    bench.topic.commits = ["crash"]
    add(bench, "1", "2")
    await bench.relay().run_once()
    bench.database.run("DELETE FROM {outbox_message} WHERE id = 2")
    with pytest.raises(ForeignPosition):
        await bench.relay().run_once()


async def test_an_old_mark_says_nothing_of_a_new_tick(pg: Rig) -> None:
    """OB-101: a due delivery's transaction between opening a tick and its first commit keeps no end of the tick before."""
    bench = Bench(pg.database, pg)
    patient = RelaySettings(batch_size=3, retry=RetryPolicy(delays=(3600.0,), jitter="none"))
    bench.topic.answers = {b"refused": [LATER]}
    with bench.database.begin() as early:
        early.add("c", body="late")
        add(bench, "refused")
        add(bench, "fine", key="b")
        await bench.relay(patient).run_once()
    bench.topic.commits = ["aborted", "crash"]
    await bench.relay(patient).run_once()
    assert bench.database.rows("SELECT last_id FROM {outbox_cursor}") == [(0,)], "the tick of the late row was opened"
    bench.database.run("UPDATE {outbox_delivery} SET next_retry_at = clock_timestamp()")
    assert (await bench.relay(patient).run_once()).errors == ("storage.unavailable",)
    await bench.until(3)
    assert bench.topic.bodies() == ["fine", "refused", "late"]


async def test_no_mark_leaves_the_cursor_alone(bench: Bench) -> None:
    """OB-101: a topic that was deleted, or an expired mark: the cursor's position counts."""
    add(bench, "1")
    await bench.relay().run_once()
    bench.topic.mark = None
    add(bench, "2")
    await bench.relay().run_once()
    assert bench.topic.bodies() == ["1", "2"]


async def test_an_unreachable_broker_fails_one_pass_alone(bench: Bench) -> None:
    """OB-101: fencing needs the broker; a pass says so and gives the lane back."""
    add(bench, "1")

    class Unreachable(Transacting):
        async def start(self) -> None:
            raise BrokerUnavailable("down")

    relay = bench.relay()
    relay._publishers = lambda _: Unreachable(bench.topic)
    assert (await relay.run_once()).errors == ("broker.unavailable",)
    assert (await bench.relay().run_once()).published == 1


async def test_after_the_option_was_switched_off_the_lane_is_fenced_first(bench: Bench) -> None:
    """OB-101: whoever publishes without transactions ends those of earlier owners, at each takeover, before it sends."""
    add(bench, "1")
    plain = bench.rig.relay()
    await plain.run_once()
    assert bench.rig.recorder.ended == [], "there never were any"
    add(bench, "2")
    await bench.relay().run_once()
    for body in ("3", "4"):
        add(bench, body)
        await bench.rig.relay().run_once()
    assert bench.rig.recorder.ended == [(0, 1), (0, 2)]
    add(bench, "5")
    await bench.relay().run_once()
    assert bench.topic.bodies() == ["2", "5"], "the old mark does not move the lane back"
    assert bench.rig.recorder.bodies() == ["1", "3", "4"]


async def test_fencing_waits_for_the_broker(bench: Bench) -> None:
    """OB-101: nothing is published before the transactions of earlier owners are ended."""
    await bench.relay().run_once()
    bench.rig.recorder.down = True
    add(bench, "1")
    relay = bench.rig.relay(RelaySettings(retry=QUICK, outage_backoff_max=timedelta(milliseconds=100)))
    await relay.start()
    bench.rig.recorder.down = False
    await bench.rig.recorder.until(1)
    assert bench.rig.recorder.ended == [(0, 0)]
