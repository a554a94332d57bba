"""Suite: positions are made anew, and exactly what was not delivered is due."""

from outrider.core import cursors
from outrider.core.deliveries import read_due
from outrider.core.rebase import Rebased, rebase
from outrider.testing.conformance.reading import Reading
from outrider.testing.conformance.storage_harness import StorageHarness, add, commit_messages, message


async def anew(reading: Reading, *, from_id: int | None = None, dry_run: bool = False) -> list[Rebased]:
    """Rebase all readers."""
    async with reading.session.transaction() as tx:
        return await tx.run(rebase(from_id=from_id, dry_run=dry_run))


async def due(reading: Reading) -> list[int]:
    """The log ids whose time has come."""
    return sorted(one.row[0] for one in await reading.session.run(read_due(reading.key, 1, 100)))


class RebasingSuite:
    """`core.rebase`. Subclass and give a fixture `harness`."""

    async def test_exactly_what_was_not_delivered_is_due_and_the_log_goes_on_behind_it(
        self, harness: StorageHarness
    ) -> None:
        """OB-20, H44: what was begun before and committed after the last delivered one is not lost, nothing is doubled."""
        late = harness.writer()
        missed: list[int] = []
        if harness.concurrent:
            late.begin()
            missed += [one.log_id for one in add(harness, late, message(0, "late"))]
        commit_messages(harness, *(message(number, f"key-{number}") for number in range(1, 4)))
        reading = await Reading.open(harness)
        await reading.read_all()
        await reading.write()
        if harness.concurrent:
            late.commit()
        missed += [one.log_id for one in commit_messages(harness, message(4, "a"), message(5, "a"), message(6, None))]
        (tried,) = await anew(reading, dry_run=True)
        assert tried == Rebased(reading.subscription.name, 1, len(missed))
        assert await due(reading) == []
        assert await anew(reading) == [tried]
        heads = [log_id for log_id in missed if log_id != missed[-2]]
        assert await due(reading) == heads, "of a key its first; the next is parked behind it"
        assert await anew(reading) == [Rebased(reading.subscription.name, 1, 0)], "they have their rows"
        (new,) = commit_messages(harness, message(7, "b"))
        again = await Reading.open(harness)
        assert again.cursor.epoch > reading.cursor.epoch + 1
        cursors.check_cluster(again.cursor, *await again.session.run(cursors.read_cluster()))
        assert [row[0] for row in await again.read()] == [new.log_id]
        await again.session.close()
        await reading.session.close()

    async def test_where_no_position_survived_an_id_says_what_was_not_delivered(self, harness: StorageHarness) -> None:
        """OB-20: all from that id on."""
        added = commit_messages(harness, *(message(number, f"key-{number}") for number in range(4)))
        reading = await Reading.open(harness)
        await reading.read_all()
        await reading.write()
        (done,) = await anew(reading, from_id=added[2].log_id)
        assert done.undelivered == len(added[2:])
        assert await due(reading) == [one.log_id for one in added[2:]]
        await reading.session.close()
