"""Receipts by hand: for code that takes its messages itself, and wants each to have its effect once.

Invariant: the receipt is written in the caller's transaction, so it commits with the effect or not at all (OB-66).
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from outrider.core.envelope import Envelope
from outrider.core.errors import MessageIdConflict
from outrider.core.inbox import find_receipts, join_consumer, record_receipts
from outrider.core.steps import Steps, run, run_async
from outrider.ports.statements import Texts
from outrider.ports.transaction import (
    AsyncTransaction,
    AsyncTransactionResolver,
    Dialect,
    Transaction,
    TransactionResolver,
)

T = TypeVar("T")
TextsOf = Callable[[Dialect], Texts]


class Inbox:
    """The receipts of one consumer, in transactions of synchronous libraries. Safe to share between threads."""

    def __init__(self, consumer: str, texts: TextsOf, resolve: TransactionResolver) -> None:
        self._consumer = consumer
        self._texts = texts
        self._resolve = resolve

    def consume(self, tx: T, message: Envelope, effect: Callable[[T], object]) -> bool:
        """Write the receipt, and call `effect(tx)` unless the message has had it; says whether it was called.

        Commit and roll back are the caller's. Raises MessageIdConflict where another message has this id (OB-48).
        """
        if not self.record(tx, message):
            return False
        effect(tx)
        return True

    def seen(self, tx: object, message: Envelope) -> bool:
        """Whether the message has its receipt. Another transaction may be writing it. Raises MessageIdConflict."""
        return self._run(tx, lambda arrays: _seen(self._consumer, message, arrays=arrays))

    def record(self, tx: object, message: Envelope) -> bool:
        """Write the receipt; False where it was there. Waits for one in flight. Raises MessageIdConflict."""
        return self._run(tx, lambda arrays: _record(self._consumer, message, arrays=arrays))

    def _run(self, tx: object, steps: Callable[[bool], Steps[bool]]) -> bool:
        transaction: Transaction = self._resolve(tx)
        transaction.check()
        transaction.flush()
        texts = self._texts(transaction.dialect)
        return run(steps(transaction.dialect == "postgresql"), lambda statement: transaction.execute(statement, texts))


class AsyncInbox:
    """The receipts of one consumer, in transactions of asynchronous libraries. Safe to share between tasks."""

    def __init__(self, consumer: str, texts: TextsOf, resolve: AsyncTransactionResolver) -> None:
        self._consumer = consumer
        self._texts = texts
        self._resolve = resolve

    async def consume(self, tx: T, message: Envelope, effect: Callable[[T], Awaitable[object]]) -> bool:
        """Write the receipt, and call `effect(tx)` unless the message has had it; says whether it was called.

        Commit and roll back are the caller's. Raises MessageIdConflict where another message has this id (OB-48).
        """
        if not await self.record(tx, message):
            return False
        await effect(tx)
        return True

    async def seen(self, tx: object, message: Envelope) -> bool:
        """Whether the message has its receipt. Another transaction may be writing it. Raises MessageIdConflict."""
        return await self._run(tx, lambda arrays: _seen(self._consumer, message, arrays=arrays))

    async def record(self, tx: object, message: Envelope) -> bool:
        """Write the receipt; False where it was there. Waits for one in flight. Raises MessageIdConflict."""
        return await self._run(tx, lambda arrays: _record(self._consumer, message, arrays=arrays))

    async def _run(self, tx: object, steps: Callable[[bool], Steps[bool]]) -> bool:
        transaction: AsyncTransaction = self._resolve(tx)
        transaction.check()
        await transaction.flush()
        texts = self._texts(transaction.dialect)
        arrays = transaction.dialect == "postgresql"
        return await run_async(steps(arrays), lambda statement: transaction.execute(statement, texts))


def _seen(consumer: str, message: Envelope, *, arrays: bool) -> Steps[bool]:
    row = yield from join_consumer(consumer)
    receipts = yield from find_receipts(row.id, [message.message_id], arrays=arrays)
    return _same(message, receipts.get(message.message_id))


def _record(consumer: str, message: Envelope, *, arrays: bool) -> Steps[bool]:
    row = yield from join_consumer(consumer)
    text = [str(message.message_id)]
    recorded = yield from record_receipts(
        row.id, [message.message_id], [message.fingerprint], arrays=arrays, texts=text
    )
    if recorded.new is None:
        return True
    receipts = yield from find_receipts(row.id, [message.message_id], arrays=arrays)
    _same(message, receipts.get(message.message_id))
    return False


def _same(message: Envelope, mark: int | None) -> bool:
    if mark is not None and mark != message.fingerprint:
        raise MessageIdConflict(message.message_id)
    return mark is not None
