"""What may be deleted, on every storage: each guard alone. Source: spec/outbox.md OB-76, OB-77; hazards H34, H50."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from outrider.core import cursors
from outrider.core.deliveries import Changes, NewDelivery
from outrider.core.delivery import Event, Status
from outrider.core.inbox import insert_row
from outrider.core.operations import LOG, Filter, change, list_exceptions, list_messages, read_receipts
from outrider.core.outcome import Refusal, Refused
from outrider.core.prune import Retention
from outrider.relay.prune import Pruner, PruneReport
from outrider.runtime.system_clock import SystemClock
from outrider.testing.conformance.storage_harness import StorageHarness, commit_messages, message, number_of
from outrider.testing.conformance.storages_receipts import row
from outrider.testing.conformance.storages_sweeping import Sweeping

NOTHING = timedelta(0)
NEVER = Refused(Refusal.PERMANENT, "publish.forbidden", "not this one")


async def prune(shop: Sweeping, *, dry_run: bool = False, dead_keep: timedelta | None = None) -> PruneReport:
    """Prune as if everything were old."""
    retention = Retention(keep=NOTHING, receipts_keep=NOTHING, dead_keep=dead_keep, batch=2)
    pruner = Pruner("shop", shop.harness.storage, retention, owner="one", clock=SystemClock(), telemetry=shop.events)
    return await pruner.run_once(dry_run=dry_run)


async def noted(shop: Sweeping) -> None:
    """The journal says where the relay stands."""
    reading = shop.reading
    async with reading.session.transaction() as tx:
        await tx.run(cursors.lock(reading.key, reading.cursor.epoch))
        await tx.run(cursors.note_advance(reading.key, reading.position, 0, 1))


async def log(shop: Sweeping) -> list[int]:
    """The numbers of the messages that are left, oldest first."""
    found = await shop.reading.session.run(list_messages(Filter(), None, 100))
    return sorted(number_of(str(line.message_id)) for line in found)


class PruningSuite:
    """Tests of pruning; a subclass gives the fixture `harness`."""

    @pytest.fixture
    async def shop(self, harness: StorageHarness) -> AsyncIterator[Sweeping]:
        """A relay with one lane, a consumer that is expected here, a sweeper that stands where it began."""
        made = await Sweeping.open(harness)
        yield made
        await made.reading.close()

    async def test_what_all_have_passed_and_consumed_goes(self, shop: Sweeping) -> None:
        """OB-76: a dry run counts the same; the sweeper's cursor, which stands behind, keeps nothing."""
        await shop.published(1, 2, 3)
        await shop.consumed(1, 2, 3)
        assert (await prune(shop)).rows["outbox_message"] == 0, "the journal does not say so yet"
        await noted(shop)
        assert (await prune(shop, dry_run=True)).rows["outbox_message"] == 3  # noqa: PLR2004  of three
        report = await prune(shop)
        assert (report.rows["outbox_message"], await log(shop)) == (3, [])

    async def test_what_is_not_passed_or_not_consumed_stays(self, shop: Sweeping) -> None:
        """OB-76: behind every reader's position, with every receipt that is expected here, and with no undecided row."""
        first, *_ = await shop.published(1, 2, 3)
        await shop.consumed(1, 3)
        await shop.write(Changes(new=[NewDelivery(first, Status.PARKED, "key")]))
        await noted(shop)
        commit_messages(shop.harness, message(4, "a"))
        await shop.consumed(4)
        await prune(shop)
        assert await log(shop) == [1, 2, 4], "parked, missed, not passed"

    async def test_a_receipt_goes_after_its_message(self, shop: Sweeping) -> None:
        """OB-77, H34: never before, however old it is."""
        rows = await shop.published(1, 2)
        await shop.consumed(1, 2)
        await shop.write(Changes(new=[NewDelivery(rows[0], Status.PARKED, "key")]))
        await noted(shop)
        await prune(shop)
        receipts = [await shop.reading.session.run(read_receipts(message(n, None).message_id)) for n in (1, 2)]
        assert [len(found) for found in receipts] == [1, 0]
        assert await log(shop) == [1]

    async def test_dead_rows_go_with_their_message_where_a_time_is_set(self, shop: Sweeping) -> None:
        """OB-76: `dead_keep`; without it they stay for ever, and their message with them. No receipt is waited for."""
        rows = await shop.published(1, 2, 3)
        await shop.write(Changes(new=[NewDelivery(rows[0], Status.DEAD, "refused", attempts=1, refused=NEVER)]))
        await shop.reading.session.run(insert_row(row(shop.consumer.id, 2, "a", "dead")))
        await shop.consumed(3)
        await noted(shop)
        await prune(shop)
        assert await log(shop) == [1, 2]
        report = await prune(shop, dead_keep=NOTHING)
        assert (await log(shop), report.rows["dead"]) == ([], 1)
        assert await shop.reading.session.run(list_exceptions(Filter(), None, 100)) == []

    async def test_a_discarded_message_waits_for_no_receipt(self, shop: Sweeping) -> None:
        """OB-76: nobody will ever have it."""
        rows = await shop.published(1, 2)
        await shop.write(Changes(new=[NewDelivery(rows[0], Status.DEAD, "refused", attempts=1, refused=NEVER)]))
        dead = await shop.reading.session.run(list_exceptions(Filter(), None, 100))
        assert [line.place for line in dead] == [LOG]
        await shop.reading.session.transact(change(dead, Event.DISCARDED))
        await noted(shop)
        await prune(shop)
        assert await log(shop) == [2], "the second has no receipt"
