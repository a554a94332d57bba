"""Suite: a handler subscription goes back to where it stood, and reads from there exactly what followed."""

from datetime import datetime, timedelta

import pytest

from outrider.core import cursors
from outrider.core.errors import LeaseLost, OperationRefused
from outrider.core.overview import read_now
from outrider.core.rewind import RewoundLane, rewind
from outrider.testing.conformance.reading import Reading
from outrider.testing.conformance.storage_harness import StorageHarness, add, commit_messages, message


async def note(reading: Reading) -> datetime:
    """Write the position with its journal row; the database's time afterwards."""
    await reading.write()
    async with reading.session.transaction() as tx:
        await tx.run(cursors.lock(reading.key, reading.cursor.epoch))
        await tx.run(cursors.note_advance(reading.key, reading.position, 0, reading.passed))
    return await reading.session.run(read_now())


async def back(reading: Reading, to: datetime, *, dry_run: bool = False) -> list[RewoundLane]:
    """Rewind the reading's subscription."""
    async with reading.session.transaction() as tx:
        return await tx.run(rewind(reading.subscription.name, to, dry_run=dry_run))


class RewindingSuite:
    """`core.rewind`. Subclass and give a fixture `harness`."""

    async def test_what_followed_that_time_is_read_again_and_nothing_else(self, harness: StorageHarness) -> None:
        """OB-21, OB-22: by the journal; a message that was begun before and committed after is read again, too."""
        old, new = [0, 1, 2], [3, 4]
        commit_messages(harness, *(message(number, "k") for number in old))
        reading = await Reading.open(harness, "billing")
        late = harness.writer()
        if harness.concurrent:
            late.begin()
            add(harness, late, message(3, "k"))
        await reading.read_all()
        then = await note(reading)
        if harness.concurrent:
            late.commit()
        else:
            commit_messages(harness, message(3, "k"))
        commit_messages(harness, message(4, "k"))
        await reading.read_all()
        await note(reading)
        (tried,) = await back(reading, then, dry_run=True)
        assert (tried.lane, tried.again) == (0, len(new))
        await reading.write()
        (lane,) = await back(reading, then)
        assert lane == tried
        assert lane.stood_at is not None
        assert lane.stood_at <= then
        again = await Reading.open(harness, "billing")
        assert again.passed == len(old)
        await again.read_all()
        assert [number for _, number in again.seen] == new
        await again.close()
        await reading.close()
        late.close()

    async def test_its_owner_loses_the_lane(self, harness: StorageHarness) -> None:
        """OB-41: the epoch rises, so that whoever read on cannot write the old position over the new one."""
        commit_messages(harness, message(1, "k"))
        reading = await Reading.open(harness, "billing")
        await reading.read_all()
        then = await note(reading)
        await back(reading, then)
        with pytest.raises(LeaseLost):
            await reading.write()
        again = await Reading.open(harness, "billing")
        assert again.cursor.epoch > reading.cursor.epoch
        await again.close()
        await reading.close()

    async def test_before_the_first_advance_is_the_beginning(self, harness: StorageHarness) -> None:
        """OB-76: nothing is kept of how it stood then; the journal begins anew, so that nothing unread is pruned."""
        before = await (session := await harness.storage.connect()).run(read_now())
        commit_messages(harness, *(message(number, "k") for number in range(4)))
        reading = await Reading.open(harness, "billing")
        await reading.read_all()
        await note(reading)
        (lane,) = await back(reading, before)
        assert lane == RewoundLane(0, None, 4)
        again = await Reading.open(harness, "billing")
        await again.read_all()
        assert [number for _, number in again.seen] == [0, 1, 2, 3]
        (once_more,) = await back(again, await session.run(read_now()), dry_run=True)
        assert once_more.stood_at is None, "the journal row above was cut off"
        await again.close()
        await reading.close()
        await session.close()

    async def test_what_publishes_is_refused_and_so_is_the_future(self, harness: StorageHarness) -> None:
        """OB-79: `cursor rewind` is for handler subscriptions; a relay would send everything again."""
        relay = await Reading.open(harness, "relay")
        now = await relay.session.run(read_now())
        with pytest.raises(OperationRefused, match="send everything again"):
            await back(relay, now)
        handler = await Reading.open(harness, "billing")
        with pytest.raises(OperationRefused, match="still to come"):
            await back(handler, now + timedelta(days=1))
        with pytest.raises(OperationRefused, match="no subscription"):
            async with handler.session.transaction() as tx:
                await tx.run(rewind("nobody", now, dry_run=False))
        await relay.close()
        await handler.close()
