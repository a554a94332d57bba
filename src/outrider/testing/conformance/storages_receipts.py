"""Receipts, once under concurrency, and the rows of the inbox. Source: spec/outbox.md OB-3, OB-42, OB-66, OB-67, OB-70."""

import asyncio
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import pytest

from outrider.core import inbox
from outrider.core.identity import key_hash
from outrider.core.steps import Steps
from outrider.ports.storage import StorageSession
from outrider.testing.conformance.storage_harness import TOPIC, TYPE, StorageHarness, message

NOW = timedelta(0)
LATER = timedelta(hours=1)


def ids(*numbers: int) -> list[UUID]:
    """Message ids of these numbers."""
    return [message(number, None).message_id for number in numbers]


def receipts(consumer_id: int, *numbers: int, arrays: bool) -> Steps[inbox.Recorded]:
    """Record receipts of these messages."""
    found = ids(*numbers)
    texts = [str(message_id) for message_id in found]
    return inbox.record_receipts(consumer_id, found, [1] * len(found), arrays=arrays, texts=texts)


def row(consumer_id: int, number: int, key: str | None, status: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  any column
    """The parameters of `insert_inbox_row`."""
    message_id = message(number, key).message_id
    given = {
        "consumer_id": consumer_id, "message_id": message_id, "origin": "log", "topic": TOPIC, "message_key": key,
        "key_hash": key_hash(key, message_id), "sequence": number, "fingerprint": 1, "type": TYPE, "version": 1,
        "content_type": "application/json", "headers": None, "body": b"{}", "status": status, "cause": "handler",
        "attempts": 1, "max_retry": 20, "generation": 0, "delay": NOW if status == "retrying" else None,
        "error_code": "handler.failed", "last_error": "no", "failed": True,
    }  # fmt: skip
    return {**given, **changes}


class ReceiptSuite:
    """Tests of the inbox's tables; a subclass gives the fixture `harness`."""

    async def test_a_consumer_is_made_once(self, harness: StorageHarness) -> None:
        """OB-66: whoever joins first makes it."""
        sessions = [await harness.storage.connect() for _ in range(4)]
        made = await asyncio.gather(*(session.run(inbox.join_consumer("billing")) for session in sessions))
        assert {(consumer.id, consumer.receipts_from) for consumer in made} == {(made[0].id, None)}
        other = await sessions[0].run(inbox.join_consumer("other"))
        assert other.id != made[0].id
        for session in sessions:
            await session.close()

    async def test_a_receipt_is_recorded_once_by_each_consumer(self, harness: StorageHarness) -> None:
        """OB-3, OB-47: a conflict means done; the new ones of a call are told apart."""
        async with _Inbox(harness) as box:
            first = await box.record(1, 2)
            assert (first.new, first.has_rows) == (None, False)
            again = await box.record(2, 3)
            assert again.new == frozenset(ids(3))
            assert await box.found(1, 2, 3, 4) == set(ids(1, 2, 3))
            other = await box.session.run(inbox.join_consumer("other"))
            assert (await box.session.run(receipts(other.id, 1, arrays=box.arrays))).new is None

    async def test_one_of_many_at_once_records_it(self, harness: StorageHarness) -> None:
        """OB-3, OB-67: the receipt's unique key serialises two owners of a message; the loser waits, and skips."""
        async with _Inbox(harness) as box:
            sessions = [await harness.storage.connect() for _ in range(6)]
            recorded = await asyncio.gather(*(_record(box, session, [1, 2, 3]) for session in sessions))
            news = [ids(1, 2, 3) if one.new is None else list(one.new) for one in recorded]
            assert sorted(message_id for new in news for message_id in new) == sorted(ids(1, 2, 3))
            for session in sessions:
                await session.close()

    async def test_a_rolled_back_receipt_is_none(self, harness: StorageHarness) -> None:
        """OB-66: receipt and effect commit together, or neither."""
        async with _Inbox(harness) as box:
            with pytest.raises(LookupError):
                await _record_and_fail(box)
            assert await box.found(1) == set()
            async with box.session.transaction() as tx:
                await tx.run(receipts(box.id, 1, 2, arrays=box.arrays))
                await tx.run(inbox.withdraw_receipts(box.id, ids(1), arrays=box.arrays))
            assert await box.found(1, 2) == set(ids(2))

    async def test_a_row_is_kept_once_with_its_body(self, harness: StorageHarness) -> None:
        """OB-1, OB-49: the unique key of consumer and message; the bytes come back as they were."""
        async with _Inbox(harness) as box:
            body = bytes(range(256))
            first = await box.insert(1, "k", "retrying", body=body, headers='{"a": "b"}')
            assert first is not None
            assert await box.insert(1, "k", "parked") is None
            stored = await box.session.run(inbox.lock_head(first))
            assert stored is not None
            assert (stored.message_id, stored.body, stored.key, stored.attempts) == (ids(1)[0], body, "k", 1)
            assert 0 <= stored.failing_seconds < LATER.total_seconds()
            found = await box.session.run(inbox.find_rows(box.id, ids(1, 2), arrays=box.arrays))
            assert {one: found[one].status for one in found} == {ids(1)[0]: "retrying"}
            assert (await box.record(5)).has_rows

    async def test_heads_are_due_one_a_key_and_followers_are_promoted_in_order(self, harness: StorageHarness) -> None:
        """OB-25, OB-42, OB-67: only heads are searched; finishing one promotes the next of its key (H53)."""
        async with _Inbox(harness) as box:
            heads = [await box.insert(number, key, "retrying") for number, key in ((1, "a"), (2, None), (3, "b"))]
            await box.insert(4, "a", "parked")
            await box.insert(5, "a", "parked")
            await box.insert(6, "late", "retrying", delay=LATER)
            assert await box.due() == heads
            states = await box.session.run(inbox.find_keys(box.id, [(TOPIC, "a"), (TOPIC, "free")], arrays=box.arrays))
            assert [states[TOPIC, key].blocked for key in ("a", "free")] == [True, False]
            assert [await box.finish_head_of("a") for _ in range(3)] == ids(1, 4, 5)
            assert await box.due() == heads[1:]

    async def test_a_failure_is_written_only_into_a_head(self, harness: StorageHarness) -> None:
        """OB-57: attempts and reason are kept; a row that is no head any more is left alone."""
        async with _Inbox(harness) as box:
            head = await box.insert(1, "k", "retrying")
            assert head is not None
            failure = inbox.RowFailure("retrying", 2, LATER, "handler.failed", "again")
            assert await box.session.run(inbox.fail_row(head, failure))
            assert await box.due() == []
            assert 0 < (await box.session.run(inbox.next_due(box.id)) or 0) <= LATER.total_seconds()
            dead = inbox.RowFailure("dead", 3, None, "handler.rejected", "never")
            assert await box.session.run(inbox.fail_row(head, dead))
            assert not await box.session.run(inbox.fail_row(head, failure))
            assert await box.session.run(inbox.next_due(box.id)) is None
            states = await box.session.run(inbox.find_keys(box.id, [(TOPIC, "k")], arrays=box.arrays))
            assert states[TOPIC, "k"] == inbox.KeyState(blocked=False, dead_types=(TYPE,))
            await box.session.run(inbox.close_rows(box.id, ids(1), arrays=box.arrays))
            found = await box.session.run(inbox.find_rows(box.id, ids(1), arrays=box.arrays))
            assert (found[ids(1)[0]].status, found[ids(1)[0]].resolution) == ("done", "delivered")

    async def test_keys_without_a_head_get_one_at_start(self, harness: StorageHarness) -> None:
        """OB-42: at consumer start heads are promoted where none stands."""
        async with _Inbox(harness) as box:
            await box.insert(1, "a", "parked")
            await box.insert(2, "a", "parked")
            await box.insert(3, "b", "retrying", delay=LATER)
            await box.insert(4, "b", "parked")
            async with box.session.transaction() as tx:
                assert await tx.run(inbox.promote_orphans(box.id, (), arrays=box.arrays)) == 1
            found = await box.session.run(inbox.find_rows(box.id, ids(1, 2, 3, 4), arrays=box.arrays))
            assert [found[one].status for one in ids(1, 2, 3, 4)] == ["retrying", "parked", "retrying", "parked"]

    async def test_quarantined_rows_are_released_once_they_are_understood(self, harness: StorageHarness) -> None:
        """OB-70: those whose type and version are known now, to queue up by key."""
        async with _Inbox(harness) as box:
            cases = ((1, "a", "known", 1), (2, None, "known", 1), (3, "b", "known", 9), (4, "c", "strange", 1))
            for number, key, type_, version in cases:
                await box.insert(number, key, "quarantined", type=type_, version=version, error_code="type.unknown")
            await box.insert(5, "d", "quarantined", type="known", error_code="body.invalid")
            released = await box.session.run(inbox.release_understood(box.id, {"known": 2}))
            assert sorted(one[0] for one in released) == ids(1, 2)
            found = await box.session.run(inbox.find_rows(box.id, ids(1, 2, 3, 4, 5), arrays=box.arrays))
            assert [found[one].status for one in ids(1, 2, 3, 4, 5)] == [
                "parked", "retrying", "quarantined", "quarantined", "quarantined",
            ]  # fmt: skip

    async def test_the_last_sequence_of_a_key_never_falls(self, harness: StorageHarness) -> None:
        """OB-63: what `late=park` compares with."""
        async with _Inbox(harness) as box:
            keys = [(TOPIC, "a"), (TOPIC, "b")]
            for sequences in ({keys[0]: 5}, {keys[0]: 3, keys[1]: 1}, {keys[1]: 9}):
                await box.session.run(inbox.raise_sequences(box.id, sequences))
            assert await box.session.run(inbox.last_sequences(box.id, keys, arrays=box.arrays)) == {
                keys[0]: 5, keys[1]: 9,
            }  # fmt: skip


class ConcurrentReceiptSuite(ReceiptSuite):
    """The same where several transactions write at a time."""

    async def test_a_row_that_another_holds_is_passed_over(self, harness: StorageHarness) -> None:
        """OB-67: FOR UPDATE SKIP LOCKED; on SQLite there is one writer."""
        async with _Inbox(harness) as box:
            head = await box.insert(1, "k", "retrying")
            assert head is not None
            other = await harness.storage.connect()
            async with box.session.transaction() as tx:
                assert await tx.run(inbox.lock_head(head)) is not None
                assert await other.run(inbox.lock_head(head)) is None
            assert await other.run(inbox.lock_head(head)) is not None
            await other.close()


class _Inbox:
    """A session and the consumer `billing`."""

    def __init__(self, harness: StorageHarness) -> None:
        self._harness = harness
        self.arrays = harness.dialect == "postgresql"
        self.session: StorageSession
        self.id = 0

    async def __aenter__(self) -> Self:
        self.session = await self._harness.storage.connect()
        self.id = (await self.session.run(inbox.join_consumer("billing"))).id
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def record(self, *numbers: int) -> inbox.Recorded:
        return await _record(self, self.session, list(numbers))

    async def found(self, *numbers: int) -> set[UUID]:
        return set(await self.session.run(inbox.find_receipts(self.id, ids(*numbers), arrays=self.arrays)))

    async def insert(self, number: int, key: str | None, status: str, **changes: Any) -> int | None:  # noqa: ANN401  as `row`
        return await self.session.run(inbox.insert_row(row(self.id, number, key, status, **changes)))

    async def due(self) -> list[int]:
        return [head for head, _, _ in await self.session.run(inbox.due_heads(self.id, 100))]

    async def finish_head_of(self, key: str) -> UUID:
        """Handle a due head of `key` and promote the next."""
        heads = await self.session.run(inbox.due_heads(self.id, 100))
        head = next(one for one, found, _ in heads if found == (TOPIC, key))
        async with self.session.transaction() as tx:
            stored = await tx.run(inbox.lock_head(head))
            assert stored is not None
            await tx.run(inbox.finish_row(head))
            await tx.run(inbox.lock_consumer(self.id))
            await tx.run(inbox.promote_key(self.id, (TOPIC, key), (), arrays=self.arrays))
        return stored.message_id


async def _record(box: _Inbox, session: StorageSession, numbers: list[int]) -> inbox.Recorded:
    async with session.transaction() as tx:
        return await tx.run(receipts(box.id, *numbers, arrays=box.arrays))


async def _record_and_fail(box: _Inbox) -> None:
    async with box.session.transaction() as tx:
        await tx.run(receipts(box.id, 1, arrays=box.arrays))
        raise LookupError
