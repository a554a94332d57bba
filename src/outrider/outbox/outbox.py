"""The outbox for synchronous callers."""

from collections.abc import Hashable, Sequence
from uuid import UUID

from outrider.core.adding import Added
from outrider.core.record import StoredRecord
from outrider.core.status import MessageStatus, read_status
from outrider.core.steps import Steps, T, run
from outrider.core.stored import DUE_LIMIT, DueMessage, due_messages, get_record
from outrider.outbox.parts import OutboxParts, as_id
from outrider.ports.tracing import Describe
from outrider.ports.transaction import Transaction, TransactionResolver


class Outbox:
    """Adds messages of one service in the caller's transaction. Safe to share between threads; opens no connection."""

    def __init__(self, parts: OutboxParts, resolve: TransactionResolver) -> None:
        self._parts = parts
        self._resolve = resolve

    def add(self, tx: object, *messages: object) -> tuple[Added, ...]:
        """Write `messages`, each a `Message` or a typed event, into the transaction `tx`, in the order given.

        They reach their destination if `tx` commits, and only then. All are checked before the first is written; one
        round trip. The same id with the same content is left alone (`created=False`). No messages give an empty tuple.
        Raises a UsageError, and then nothing was written and `tx` stays usable; driver errors pass through. Source:
        OB-8 … OB-11.
        """
        transaction: Transaction = self._resolve(tx)
        transaction.check()
        if not messages:
            return ()
        tracer = self._parts.tracing
        if tracer is None:
            return self._add(transaction, messages)
        with tracer.adding(self._parts.service) as describe:
            return self._add(transaction, messages, describe)

    def _add(
        self, transaction: Transaction, messages: Sequence[object], describe: Describe | None = None
    ) -> tuple[Added, ...]:
        parts = self._parts
        records, fresh = parts.prepare(messages)
        if describe is not None:
            describe(records)
        transaction.flush()
        self._meet(transaction)
        log = parts.logs(transaction.dialect)
        added = run(
            log.writer.append(records, fresh=fresh), lambda statement: transaction.execute(statement, log.texts)
        )
        if parts.tell(added):
            transaction.after_commit(parts.wakeup.wake)
        return tuple(added)

    def get(self, tx: object, id: UUID | int) -> StoredRecord:  # noqa: A002 - the name in the spec
        """Give the message with this message id or log id, body included. Raises MessageNotFound."""
        return self._read(tx, get_record(as_id(id)))

    def status(self, tx: object, id: UUID | int) -> MessageStatus:  # noqa: A002
        """Say where the message with this message id or log id is, without reading its body.

        A pruned message with receipts here says consumed. Raises MessageNotFound. Source: OB-23, OB-24.
        """
        return self._read(tx, read_status(self._parts.service, as_id(id)))

    def due(self, tx: object, limit: int = DUE_LIMIT) -> tuple[DueMessage, ...]:
        """List what is due, at most `limit` (≤ 0: 100), by due time, then log id. For people; it reserves nothing."""
        return self._read(tx, due_messages(limit))

    def wake(self) -> None:
        """Hint the relay that messages were committed, where the library has no hook after commit. Never needed."""
        self._parts.wakeup.wake()

    def _read(self, tx: object, steps: Steps[T]) -> T:
        transaction = self._resolve(tx)
        self._meet(transaction)
        texts = self._parts.logs(transaction.dialect).texts
        return run(steps, lambda statement: transaction.execute(statement, texts))

    def _meet(self, transaction: Transaction) -> None:
        target: Hashable = transaction.target
        if not self._parts.acquaintance.has_met(target):
            texts = self._parts.logs(transaction.dialect).texts
            run(self._parts.acquaintance.meet(target), lambda statement: transaction.execute(statement, texts))
