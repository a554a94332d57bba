"""What was published and never consumed: found once, judged, sent again through the relay's rows.

Source: spec/outbox.md OB-41, OB-74, OB-75; hazards H24 to H26, H51, H52.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

import pytest

from outrider.core import cursors
from outrider.core import sweep as steps
from outrider.core.catalog import Catalog
from outrider.core.deliveries import Changes, Due, NewDelivery, read_due, write_changes
from outrider.core.delivery import Status
from outrider.core.events import MessageDied, MessageSwept, SweepAlarmRaised
from outrider.core.inbox import InboxConsumer, insert_row, join_consumer
from outrider.core.lane import LaneKey, Subscription
from outrider.core.log_row import LogRow
from outrider.core.operations import Filter, list_exceptions
from outrider.core.overview import overview
from outrider.core.routes import route_rows, write_routes
from outrider.core.subscriptions import find_subscription
from outrider.core.sweep import MISSING, SWEEPER, SweepPolicy
from outrider.relay.sweep import Sweeper, SweepReport
from outrider.runtime.system_clock import SystemClock
from outrider.testing.conformance.reading import LEASE, Reading
from outrider.testing.conformance.storage_harness import TYPE, StorageHarness, add, commit_messages, message, number_of
from outrider.testing.conformance.storages_receipts import receipts, row
from outrider.testing.events import EventSink

AT_ONCE = SweepPolicy(redeliver_after=timedelta(0))
"""Whatever the relay has passed has come of age."""


class Sweeping:
    """A relay's lane played by hand, a consumer that is expected here, and sweepers."""

    def __init__(self, harness: StorageHarness, reading: Reading, consumer: InboxConsumer) -> None:
        self.harness, self.reading, self.consumer = harness, reading, consumer
        self.events = EventSink()
        self.arrays = harness.storage.dialect == "postgresql"
        self._sweepers: dict[str, Sweeper] = {}

    @classmethod
    async def open(cls, harness: StorageHarness, *, lanes: int = 1) -> Self:
        """Everything made, and a first pass, so that all from here on is swept."""
        catalog = Catalog("shop", "billing")
        catalog.declare(TYPE, owner="shop", consumers=["billing"])
        reading = await Reading.open(harness, lanes=lanes, limit=100)
        await reading.session.transact(write_routes(route_rows(catalog, "shop", ["billing"])))
        made = cls(harness, reading, await reading.session.run(join_consumer("billing")))
        assert (await made.sweep()).found == 0
        return made

    async def sweep(self, policy: SweepPolicy = AT_ONCE, owner: str = "one") -> SweepReport:
        """One pass."""
        sweeper = self._sweepers.get(owner)
        if sweeper is None or policy is not AT_ONCE:
            sweeper = self._sweepers[owner] = Sweeper(
                "shop", self.harness.storage, policy, relay="relay", owner=owner, lease=LEASE, clock=SystemClock(),
                telemetry=self.events,
            )  # fmt: skip
        return await sweeper.run_once()

    async def published(self, *numbers: int, key: str | None = "a") -> list[LogRow]:
        """Commit these messages and have the relay pass them."""
        commit_messages(self.harness, *(message(number, key) for number in numbers))
        return await self.passed()

    async def passed(self) -> list[LogRow]:
        """Have the relay pass what is there."""
        rows = await self.reading.read()
        await self.reading.write()
        return rows

    async def consumed(self, *numbers: int) -> None:
        """Record receipts."""
        await self.reading.session.run(receipts(self.consumer.id, *numbers, arrays=self.arrays))

    async def due(self) -> list[Due]:
        """What the relay would send now."""
        return await self.reading.session.run(read_due(self.reading.key, self.reading.subscription.lanes, 100))

    async def sweeper(self) -> Subscription:
        """The sweeper's subscription."""
        found = await self.reading.session.run(find_subscription(SWEEPER))
        assert found is not None
        return found

    async def step_down(self) -> None:
        """End the lease of who leads, as if it had run out."""
        await self.reading.session.run(cursors.release(LaneKey((await self.sweeper()).id, 0), 1))

    async def sent(self) -> list[int]:
        """Have the relay send what is due; gives the numbers."""
        due = await self.due()
        await self.write(Changes(delivered=due))
        return [number_of(one.row[1]) for one in due]

    async def write(self, changes: Changes) -> None:
        """Write as the relay's lane does."""
        async with self.reading.session.transaction() as tx:
            await tx.run(cursors.lock(self.reading.key, self.reading.cursor.epoch))
            await tx.run(write_changes(self.reading.key, changes, None))

    async def rows(self) -> list[tuple[int, str, int, str | None]]:
        """The sweeper's rows: number, status, attempts, code."""
        statuses = [str(status) for status in Status]
        found = await self.reading.session.run(list_exceptions(Filter(), None, 100, statuses=statuses))
        mine = [line for line in found if line.reader == SWEEPER]
        return [(number_of(str(one.message_id)), one.status, one.attempts, one.error_code) for one in mine]

    def told(self, kind: type[Any]) -> Sequence[Any]:
        """The events of a kind since the last look."""
        found = self.events.of(kind)
        self.events.clear()
        return found


class SweepingSuite:
    """Tests of the sweeper; a subclass gives the fixture `harness`."""

    @pytest.fixture
    async def shop(self, harness: StorageHarness) -> AsyncIterator[Sweeping]:
        """A relay with one lane."""
        made = await Sweeping.open(harness)
        yield made
        await made.reading.close()

    async def test_a_miss_is_found_once_and_sent_again_with_its_id(self, shop: Sweeping) -> None:
        """OB-74, OB-75, H51: same id, generation + 1, through a row of the relay; consumed in the end, its row is done."""
        await shop.published(1, 2, 3)
        await shop.consumed(1, 3)
        report = await shop.sweep()
        assert (report.found, report.resent) == (1, 1)
        (due,) = await shop.due()
        assert [number_of(due.row[1])] == [2]
        assert '"generation":1' in (due.row[6] or "").replace(" ", "")
        (told,) = shop.told(MessageSwept)
        assert (told.reader, told.log_id, told.generation) == (SWEEPER, due.row[0], 1)
        assert (await shop.sweep()).resent == 0, "what the relay has not sent yet is not sent twice"
        assert await shop.sent() == [2]
        await shop.consumed(2)
        again = await shop.sweep()
        assert (again.found, again.consumed) == (0, 1)
        assert await shop.rows() == [(2, "done", 1, None)]

    async def test_after_the_last_try_it_is_dead_and_a_receipt_outranks_that(self, shop: Sweeping) -> None:
        """OB-75: at most `max_resends` times, then dead `consume.missing`; no budget of the relay is spent."""
        await shop.published(1, 2)
        await shop.consumed(2)
        for generation in (1, 2, 3):
            assert (await shop.sweep()).resent == 1
            (told,) = shop.told(MessageSwept)
            assert told.generation == generation
            assert await shop.sent() == [1]
        assert (await shop.sweep()).dead == 1
        (died,) = shop.told(MessageDied)
        assert (died.code, died.attempt) == (MISSING, 3)
        assert await shop.rows() == [(1, "dead", 3, MISSING)]
        assert (await shop.sweep()).resent == 0
        await shop.consumed(1)
        assert (await shop.sweep()).consumed == 1
        assert await shop.rows() == [(1, "done", 3, MISSING)]

    async def test_a_consumer_that_is_merely_behind_is_only_told_of(self, shop: Sweeping) -> None:
        """OB-75: without a later receipt of its lane a miss waits, judged again, and is an alarm."""
        await shop.published(1, 2, 3)
        await shop.consumed(1)
        report = await shop.sweep()
        assert (report.found, report.resent, report.alarmed) == (2, 0, 2)
        (alarm,) = shop.told(SweepAlarmRaised)
        assert (alarm.reason, alarm.messages, alarm.consumers) == ("behind", 2, "billing")
        assert [found[:2] for found in await shop.rows()] == [(2, "waiting"), (3, "waiting")]
        await shop.consumed(3)
        report = await shop.sweep()
        assert (report.found, report.resent, report.consumed) == (0, 1, 1)
        assert await shop.sent() == [2]

    async def test_a_later_receipt_of_another_lane_says_nothing(self, harness: StorageHarness) -> None:
        """OB-75: lanes go on apart."""
        shop = await Sweeping.open(harness, lanes=2)
        keys = {message(0, key).key_hash % 2: key for key in "abcdefgh"}
        other = await Reading.open(harness, lane=1, lanes=2, limit=100)
        commit_messages(harness, message(1, keys[0]), message(2, keys[1]), message(3, keys[1]))
        await shop.passed()
        await other.read()
        await other.write()
        await shop.consumed(3)
        report = await shop.sweep()
        assert (report.found, report.resent, report.alarmed) == (2, 1, 1)
        await other.close()
        await shop.reading.close()

    async def test_the_alarm_action_sends_nothing(self, shop: Sweeping) -> None:
        """OB-75: `sweep.action` = alarm."""
        await shop.published(1, 2)
        await shop.consumed(2)
        report = await shop.sweep(SweepPolicy(redeliver_after=timedelta(0), action="alarm"), owner="two")
        assert not report.led, "another process leads"
        await shop.step_down()
        report = await shop.sweep(SweepPolicy(redeliver_after=timedelta(0), action="alarm"), owner="two")
        assert (report.resent, report.alarmed) == (0, 1)
        assert shop.told(SweepAlarmRaised)[0].reason == "alarm"
        assert await shop.due() == []

    async def test_what_is_not_published_or_was_received_is_no_miss(self, shop: Sweeping) -> None:
        """OB-74: not before the relay has passed it, not while its row is undecided, not where the inbox has it."""
        commit_messages(shop.harness, message(1, "a"))
        assert (await shop.sweep()).found == 0
        (first,) = await shop.passed()
        parked = NewDelivery(first, Status.PARKED, "key")
        await shop.write(Changes(new=[parked]))
        await shop.published(2, 3)
        await shop.reading.session.run(insert_row(row(shop.consumer.id, 2, "a", "dead")))
        await shop.consumed(3)
        report = await shop.sweep()
        assert (report.found, report.resent, report.alarmed) == (1, 0, 0)
        assert await shop.rows() == [(1, "waiting", 0, None)]

    async def test_a_miss_younger_than_redeliver_after_is_not_looked_at(self, shop: Sweeping) -> None:
        """OB-74: the target is where the relay stood then."""
        await shop.published(1, 2)
        await shop.consumed(2)
        await shop.step_down()
        assert (await shop.sweep(SweepPolicy(redeliver_after=timedelta(hours=1)), owner="late")).found == 0

    async def test_lanes_of_the_relay_are_followed(self, shop: Sweeping) -> None:
        """OB-74, OB-45: another number of lanes passes nothing over."""
        await shop.published(1, 2)
        await shop.consumed(2)
        sweeper, session = await shop.sweeper(), shop.reading.session
        for lanes in (3, 2, 4):
            relay = replace(shop.reading.subscription, lanes=lanes)
            await session.transact(steps.follow_lanes(LaneKey(sweeper.id, 0), 1, relay))
            assert sorted(await session.run(steps.read_places(sweeper))) == list(range(lanes))
            assert (await shop.sweeper()).lanes == lanes
        report = await shop.sweep()
        assert (await shop.sweeper()).lanes == 1
        assert (report.found, report.resent) == (1, 1)

    async def test_the_sweeper_is_not_shown_as_lagging(self, shop: Sweeping) -> None:
        """OB-74: it is `redeliver_after` behind on purpose; who leads is shown once."""
        await shop.published(1, 2)
        lines = (await shop.reading.session.run(overview())).lanes
        assert [(line.kind, line.backlog) for line in lines] == [("relay", 0), ("sweeper", 0)]
        assert (lines[1].owner, lines[1].oldest_at) == ("one", None)

    async def test_only_what_the_relay_has_passed_and_settled_may_be_sent_again(self, shop: Sweeping) -> None:
        """OB-41: no row only behind the written position; a row only from done or dead, and of the generation read."""
        commit_messages(shop.harness, message(1, "a"))
        session, relay = shop.reading.session, shop.reading.subscription
        assert await session.transact(steps.resend(relay, {1: 0}, "resent")) == {}
        (first,) = await shop.passed()
        assert await session.transact(steps.resend(relay, {first[0]: 0}, "resent")) == {first[0]: 1}
        assert await session.transact(steps.resend(relay, {first[0]: 1}, "resent")) == {}, "it is being sent"
        await shop.sent()
        assert await session.transact(steps.resend(relay, {first[0]: 0}, "resent")) == {}, "another was faster"
        assert await session.transact(steps.resend(relay, {first[0]: 1}, "resent")) == {first[0]: 2}


class ConcurrentSweepingSuite(SweepingSuite):
    """The same where transactions commit in another order than they began."""

    async def test_a_late_commit_is_compared_too(self, shop: Sweeping) -> None:
        """OB-74, H1: a row far behind that became visible only now belongs to the next stretch, once."""
        slow = shop.harness.writer()
        slow.begin()
        add(shop.harness, slow, message(1, "late"))
        await shop.published(2, 3)
        await shop.consumed(2, 3)
        assert (await shop.sweep()).found == 0
        slow.commit()
        assert len(await shop.passed()) == 1
        assert (await shop.sweep()).found == 1
        assert await shop.sent() == [1]
        assert (await shop.sweep()).found == 0
