"""Exception rows: what is due, what stands behind what, and the state that follows from them.

Source: spec/outbox.md OB-23 to OB-25, OB-37, OB-42; hazards H49, H53.
"""

from datetime import UTC, datetime, timedelta

from outrider.core import cursors, pauses
from outrider.core.deliveries import (
    HOLD,
    Changes,
    Due,
    NewDelivery,
    Written,
    count_parked,
    key_of,
    read_blocked,
    read_due,
    release_topics,
    write_changes,
)
from outrider.core.delivery import Status
from outrider.core.inbox import join_consumer
from outrider.core.log_row import LogRow
from outrider.core.outcome import Refusal, Refused
from outrider.core.retry import Bury, RetryAt
from outrider.core.status import MessageState, MessageStatus, read_status
from outrider.testing.conformance.reading import Reading
from outrider.testing.conformance.storage_harness import TOPIC, StorageHarness, commit_messages, message, number_of
from outrider.testing.conformance.storages_receipts import receipts

NOW = timedelta(0)
LATER = timedelta(hours=1)
REFUSED = Refused(Refusal.TRANSIENT, "publish.refused", "not now")


async def write(reading: Reading, changes: Changes) -> Written:
    """Write changes as the lane's owner does: under its epoch, in one transaction."""
    async with reading.session.transaction() as tx:
        await tx.run(cursors.lock(reading.key, reading.cursor.epoch))
        return await tx.run(write_changes(reading.key, changes, None))


async def due(reading: Reading, limit: int = 100) -> list[Due]:
    """What is due in the lane."""
    return await reading.session.run(read_due(reading.key, reading.subscription.lanes, limit))


def numbers(found: list[Due]) -> list[int]:
    """Which messages they are."""
    return [number_of(one.row[1]) for one in found]


async def log_rows(harness: StorageHarness, keys: list[str | None]) -> tuple[Reading, list[LogRow]]:
    """A lane whose log holds one message for each of `keys`, all read."""
    commit_messages(harness, *(message(number, key) for number, key in enumerate(keys)))
    reading = await Reading.open(harness, limit=len(keys) + 1)
    return reading, await reading.read()


def head_and_parked(rows: list[LogRow]) -> Changes:
    """The first due now, the others parked behind it."""
    new = [NewDelivery(rows[0], Status.RETRYING, "refused", attempts=1, delay=NOW, refused=REFUSED)]
    new += [NewDelivery(row, Status.PARKED, "key") for row in rows[1:]]
    return Changes(new=new)


class DeliverySuite:
    """Tests of the exception rows; a subclass gives the fixture `harness`."""

    async def test_due_rows_come_by_id_with_their_message(self, harness: StorageHarness) -> None:
        """OB-25, OB-37: due heads and waiting rows whose time has come; parked and later ones do not."""
        reading, rows = await log_rows(harness, ["a", "b", "c", "d", None])
        new = [
            NewDelivery(rows[0], Status.PARKED, "key"),
            NewDelivery(rows[1], Status.RETRYING, "refused", attempts=2, delay=NOW, refused=REFUSED),
            NewDelivery(rows[2], Status.RETRYING, "refused", attempts=1, delay=LATER, refused=REFUSED),
            NewDelivery(rows[3], Status.WAITING, "deliver_at", due_at=datetime(2199, 1, 1, tzinfo=UTC)),
            NewDelivery(rows[4], Status.WAITING, "deliver_at", due_at=datetime(2001, 1, 1, tzinfo=UTC)),
        ]
        await write(reading, Changes(new=new))
        found = await due(reading)
        assert numbers(found) == [1, 4]
        assert [tuple(one.row[:4]) for one in found] == [tuple(rows[1][:4]), tuple(rows[4][:4])]
        assert [(one.status, one.attempts, one.cause) for one in found] == [
            (Status.RETRYING, 2, "refused"), (Status.WAITING, 0, "deliver_at"),
        ]  # fmt: skip
        assert NOW <= found[0].failing_for < LATER
        assert found[1].failing_for == NOW
        assert numbers(await due(reading, limit=1)) == [1]
        await reading.close()

    async def test_waiting_rows_hold_nobody_up(self, harness: StorageHarness) -> None:
        """OB-25, OB-37: a key is blocked by due and parked rows and by a dead one that holds, of this lane."""
        keys: list[str | None] = ["waits", "due", "parked", "dead", "held", None]
        reading, rows = await log_rows(harness, keys)
        statuses = [Status.WAITING, Status.RETRYING, Status.PARKED, Status.DEAD, Status.DEAD, Status.PARKED]
        causes = ["deliver_at", "refused", "key", "refused", HOLD, "pause"]
        cases = zip(rows, statuses, causes, strict=True)
        new = [NewDelivery(row, status, cause, delay=LATER) for row, status, cause in cases]
        await write(reading, Changes(new=new))
        blocked = await reading.session.run(read_blocked(reading.key, 1))
        assert blocked == {(TOPIC, "due"), (TOPIC, "parked"), (TOPIC, "held")}
        await reading.close()

    async def test_parked_rows_are_counted_up_to_a_limit(self, harness: StorageHarness) -> None:
        """OB-42: the alarm counts what is parked, whatever the lane, and nothing else."""
        reading, rows = await log_rows(harness, ["k", "k", "k", None])
        await write(reading, head_and_parked(rows))
        mine = reading.subscription.id
        asked = [(mine, 10), (mine, 2), (mine + 1, 10)]
        assert [await reading.session.run(count_parked(*one)) for one in asked] == [3, 2, 0]
        await reading.close()

    async def test_a_settled_head_promotes_the_next_of_its_key(self, harness: StorageHarness) -> None:
        """OB-25, OB-42: in the same transaction, in id order, until nothing of the key is left (H53)."""
        reading, rows = await log_rows(harness, ["k", "k", "other", "k"])
        await write(reading, head_and_parked([row for row in rows if row[3] == "k"]))
        order: list[int] = []
        written: list[Written] = []
        while found := await due(reading):
            order += numbers(found)
            changes = Changes(delivered=found)
            changes.look_again(key_of(found[0].row))
            written.append(await write(reading, changes))
        assert order == [0, 1, 3]
        assert [one.promoted for one in written] == [1, 1, 0]
        assert written[-1].cleared == {(TOPIC, "k")}
        assert not await reading.session.run(read_blocked(reading.key, 1))
        await reading.close()

    async def test_five_thousand_rows_behind_one_key_show_one_head(self, harness: StorageHarness) -> None:
        """OB-25: only heads are searched, however many rows stand behind one (H53)."""
        reading, rows = await log_rows(harness, ["hot"] * 5_000)
        await write(reading, head_and_parked(rows))
        for expected in range(3):
            (head,) = await due(reading)
            assert numbers([head]) == [expected]
            changes = Changes(delivered=[head])
            changes.look_again((TOPIC, "hot"))
            assert (await write(reading, changes)).promoted == 1
        (head,) = await due(reading)
        changes = Changes(delivered=[head])
        changes.look_again((TOPIC, "hot"), promote=500)
        assert (await write(reading, changes)).promoted == 500  # noqa: PLR2004  as many as were asked for
        assert numbers(await due(reading, limit=1_000)) == list(range(4, 504))
        await reading.close()

    async def test_a_head_that_fails_again_sends_its_followers_back(self, harness: StorageHarness) -> None:
        """OB-4, OB-25: released rows of its key are parked again, so that order is kept."""
        reading, rows = await log_rows(harness, ["k", "k", "k"])
        new = [NewDelivery(row, Status.RETRYING, "released", delay=NOW) for row in rows]
        await write(reading, Changes(new=new))
        found = await due(reading)
        assert numbers(found) == [0, 1, 2]
        changes = Changes(retried=[(found[0], RetryAt(NOW, attempts=1), REFUSED)])
        changes.look_again((TOPIC, "k"))
        assert (await write(reading, changes)).promoted == 0
        (head,) = await due(reading)
        assert (number_of(head.row[1]), head.attempts, head.cause) == (0, 1, "refused")
        await reading.close()

    async def test_a_dead_message_lets_its_key_go_on_or_holds_it(self, harness: StorageHarness) -> None:
        """OB-27: `on_dead=continue` promotes the next, `hold` keeps the key parked."""
        reading, rows = await log_rows(harness, ["goes-on", "held", "goes-on", "held"])
        for key in ("goes-on", "held"):
            await write(reading, head_and_parked([row for row in rows if row[3] == key]))
        changes = Changes()
        for one in await due(reading):
            changes.buried.append((one, Bury(attempts=2), REFUSED, one.row[3] == "held"))
            changes.look_again(key_of(one.row))
        written = await write(reading, changes)
        assert numbers(await due(reading)) == [2]
        assert (written.promoted, written.cleared) == (1, frozenset())
        assert (TOPIC, "held") in await reading.session.run(read_blocked(reading.key, 1))
        await reading.close()

    async def test_a_pause_keeps_its_rows_parked_and_resuming_releases_heads_in_order(
        self, harness: StorageHarness
    ) -> None:
        """OB-42: one row of each key, the lowest; rows without a key all; never what a person or a head holds."""
        reading, rows = await log_rows(harness, ["a", "a", None, "b", None])
        await write(
            reading,
            Changes(new=[NewDelivery(row, Status.PARKED, "pause") for row in rows], pauses={TOPIC: REFUSED}),
        )
        changes = Changes(pauses={TOPIC: REFUSED})
        changes.look_again((TOPIC, "a"))
        assert (await write(reading, changes)).promoted == 0
        assert await _release(reading) == (0, False)
        await reading.session.run(pauses.resume_destination(None, TOPIC))
        assert await _release(reading, limit=3) == (3, True)
        assert await _release(reading, limit=3) == (1, False)
        assert numbers(await due(reading)) == [0, 2, 3, 4]
        assert await _release(reading) == (0, False)
        await reading.close()

    async def test_a_row_that_is_there_takes_the_new_decision(self, harness: StorageHarness) -> None:
        """OB-3, OB-41: what an owner that died decided is decided again, once."""
        reading, rows = await log_rows(harness, ["k"])
        await write(reading, head_and_parked(rows))
        await write(reading, Changes(new=[NewDelivery(rows[0], Status.PARKED, "key")]))
        assert await due(reading) == []
        await write(reading, head_and_parked(rows))
        assert numbers(await due(reading)) == [0]
        await reading.close()

    async def test_lanes_see_their_own_rows_alone(self, harness: StorageHarness) -> None:
        """OB-35: `lane = key_hash % lanes` also for exception rows."""
        commit_messages(harness, *(message(number, f"key-{number}") for number in range(20)))
        lanes = [await Reading.open(harness, lane=lane, lanes=2, limit=50) for lane in range(2)]
        found: list[list[int]] = []
        for reading in lanes:
            rows = await reading.read()
            new = [NewDelivery(row, Status.RETRYING, "refused", delay=NOW) for row in rows]
            await write(reading, Changes(new=new))
        for reading in lanes:
            found.append(numbers(await due(reading)))
            assert found[-1] == [number for _, number in reading.seen]
            await reading.close()
        assert sorted(found[0] + found[1]) == list(range(20))

    async def test_rows_with_an_exception_row_can_be_passed_over(self, harness: StorageHarness) -> None:
        """OB-101: on reading again after a crash."""
        reading, rows = await log_rows(harness, ["a", "b", "c"])
        await write(reading, Changes(new=[NewDelivery(rows[1], Status.PARKED, "key")]))
        batch = await reading.session.run(
            reading.reader.read(reading.cursor.position, reading.key, 1, 0, 10, pass_over=True)
        )
        assert [row[0] for row in batch.rows] == [rows[0][0], rows[2][0]]
        await reading.close()

    async def test_the_state_of_a_message_follows_from_what_is_written(self, harness: StorageHarness) -> None:
        """OB-23, OB-24: consumed before dead before pending before published; `published_at` from the journal."""
        reading, rows = await log_rows(harness, ["k"])
        assert (await _status(reading)).state is MessageState.PENDING
        async with reading.session.transaction() as tx:
            await tx.run(cursors.write_position(reading.key, 1, reading.position, rows[0][0], 1))
            await tx.run(cursors.note_advance(reading.key, reading.position, 0, 1))
        published = await _status(reading)
        assert (published.state, published.log_id) == (MessageState.PUBLISHED, rows[0][0])
        assert published.published_at is not None
        assert published.created_at is not None
        assert published.published_at >= published.created_at
        await write(reading, head_and_parked(rows))
        retrying = await _status(reading)
        assert (retrying.state, retrying.retry_count, retrying.error_code) == (
            MessageState.PENDING, 1, "publish.refused",
        )  # fmt: skip
        (head,) = await due(reading)
        await write(reading, Changes(buried=[(head, Bury(attempts=20), REFUSED, False)]))
        dead = await _status(reading)
        assert (dead.state, dead.retry_count, dead.last_error) == (MessageState.DEAD, 20, "not now")
        arrays = harness.dialect == "postgresql"
        async with reading.session.transaction() as tx:
            consumer = await tx.run(join_consumer("billing"))
            await tx.run(receipts(consumer.id, 0, arrays=arrays))
        consumed = await _status(reading)
        assert consumed.state is MessageState.CONSUMED
        assert consumed.consumed_at is not None
        assert [line.name for line in consumed.deliveries] == ["relay", "billing"]
        await reading.close()


async def _release(reading: Reading, limit: int = 100) -> tuple[int, bool]:
    async with reading.session.transaction() as tx:
        await tx.run(cursors.lock(reading.key, reading.cursor.epoch))
        return await tx.run(release_topics(reading.key, 1, None, (), limit))


async def _status(reading: Reading) -> MessageStatus:
    return await reading.session.run(read_status("conformance", message(0, "k").message_id))
