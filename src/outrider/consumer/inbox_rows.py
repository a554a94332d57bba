"""The rows of a broker's messages: `inbox_delivery`, body included.

Invariant: every row is written under the lock of the consumer's own row, so that none is parked without a head (OB-42).
"""

from collections.abc import Generator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from outrider.consumer.attempt import Effect, Facts
from outrider.consumer.buffer import Head
from outrider.consumer.item import Item
from outrider.consumer.tell import Teller
from outrider.core.consume_plan import DUPLICATE, STANDING, Failed, Parked, Quarantined
from outrider.core.deliveries import SUSPICIONS
from outrider.core.delivery import Status
from outrider.core.identity import coordinates_id, key_hash
from outrider.core.inbox import (
    FREE,
    KeyState,
    OrderKey,
    RowFailure,
    arm_row,
    due_heads,
    fail_row,
    find_keys,
    find_receipts,
    find_rows,
    finish_row,
    insert_row,
    lock_consumer,
    lock_head,
    next_due,
    promote_key,
)
from outrider.core.inbox_body import ORIGIN_MAX, restored_envelope, stored_attributes, stored_strangeness
from outrider.core.limits import is_key
from outrider.core.retry import Bury, Failure, RetryPolicy, decide
from outrider.core.steps import Steps
from outrider.core.suspects import NEXT, armed_delay
from outrider.ports.broker import ReceivedMessage
from outrider.ports.clock import Clock
from outrider.runtime.sessions import Sessions

_NOW = timedelta(0)
_CAUSES = {Failed: "failed", Parked: "key", Quarantined: "quarantined"}


class InboxRows:
    """As `consumer.source.Rows`, over the consumer's inbox."""

    def __init__(self, sessions: Sessions, facts: Facts, policy: RetryPolicy, clock: Clock, teller: Teller) -> None:
        self._sessions = sessions
        self._facts = facts
        self._policy = policy
        self._clock = clock
        self._teller = teller

    def hold_back(self, items: Sequence[Item]) -> None:
        """Nothing is known beforehand: the receipt's transaction looks at the rows."""

    async def write(self, items: Sequence[Item]) -> None:
        """Write a row for each whose outcome asks for one."""
        wanted = [item for item in items if isinstance(item.outcome, Failed | Parked | Quarantined)]
        if wanted:
            written = await self._sessions.transact(self._write(wanted))
            for item, failure in written:
                self._teller.row_written(item, failure, parked=failure.status == Status.PARKED)

    async def due(self, limit: int) -> tuple[list[Head], float | None]:
        """The heads that are due, and where there are none the seconds until one is."""
        found = await self._sessions.run(due_heads(self._facts.consumer_id, limit))
        if found:
            return [Head(id_, key, cause) for id_, key, cause in found], 0.0
        return [], await self._sessions.run(next_due(self._facts.consumer_id))

    async def arm(self, head: Head) -> bool:
        """Write what the row of a suspect says if the process dies of trying it."""
        cause = NEXT.get(head.cause)
        if cause is None:
            return True
        step = arm_row(int(str(head.id)), head.cause, cause, armed_delay(self._policy, cause))
        return await self._sessions.transact(step)

    def lock(self, head: Head) -> Generator[Effect, Any, Item | None]:
        """Lock the row, and make its message anew from what is stored."""
        row = yield from lock_head(int(str(head.id)), armed=head.cause in NEXT)
        if row is None:
            return None
        item = Item(
            row.message_id, str(row.message_id), row.fingerprint, row.topic, row.key, restored_envelope(row), row
        )
        item.head, item.attempts, item.max_retry = row.id, row.attempts, row.max_retry
        item.failing_seconds = row.failing_seconds
        return item

    def finish(self, item: Item) -> Generator[Effect, Any, None]:
        """The row is done; the consumer's row is locked last, to promote the next of its key."""
        if item.head is not None:
            yield from finish_row(item.head)
            yield from lock_consumer(self._facts.consumer_id)
            yield from self._promote(item.order_key)

    async def fail(self, item: Item) -> None:
        """Count the failure, or put the row where it belongs."""
        if item.head is None or not isinstance(item.outcome, Failed | Quarantined):
            return
        failure = self._decide(item, item.outcome)
        if await self._sessions.transact(self._fail(item, item.head, failure)):
            self._teller.row_written(item, failure, parked=False)

    def tried(self, head: Head) -> None:
        """Nothing is remembered of it: the rows are everybody's."""

    def _fail(self, item: Item, row_id: int, failure: RowFailure) -> Steps[bool]:
        yield from lock_consumer(self._facts.consumer_id)
        failed = yield from fail_row(row_id, failure)
        if failed and failure.status != Status.RETRYING:
            yield from self._promote(item.order_key)
        return failed

    def _promote(self, key: OrderKey | None) -> Steps[bool]:
        facts = self._facts
        return (yield from promote_key(facts.consumer_id, key, facts.hold_types, arrays=facts.arrays))

    def _write(self, items: Sequence[Item]) -> Steps[list[tuple[Item, RowFailure]]]:
        facts = self._facts
        yield from lock_consumer(facts.consumer_id)
        ids = [item.message_id for item in items]
        receipts = yield from find_receipts(facts.consumer_id, ids, arrays=facts.arrays)
        rows = yield from find_rows(facts.consumer_id, ids, arrays=facts.arrays)
        wanted = dict.fromkeys(item.order_key for item in items if item.order_key is not None)
        keys = yield from find_keys(facts.consumer_id, list(wanted), arrays=facts.arrays)
        written: list[tuple[Item, RowFailure]] = []
        for item in items:
            mark = receipts.get(item.message_id)
            row = rows.get(item.message_id)
            stranger = isinstance(item.outcome, Quarantined) and item.outcome.stranger
            known = mark if mark is not None else None if row is None else row.fingerprint
            if known is not None and known != item.fingerprint:
                stranger = True
                item.outcome = Quarantined("id.collision", "another message has this id", stranger=True)
            elif mark is not None and not stranger:
                item.outcome = DUPLICATE
                continue
            elif row is not None and not stranger:
                item.outcome = STANDING
                continue
            failure = self._placed(item, keys)
            params = self._params(item, failure, stranger=stranger)
            if (yield from insert_row(params)) is None:
                item.outcome = STANDING
                continue
            written.append((item, failure))
            if item.order_key is not None:
                keys[item.order_key] = _after(keys.get(item.order_key, FREE), item, failure)
        return written

    def _placed(self, item: Item, keys: Mapping[OrderKey, KeyState]) -> RowFailure:
        """Where the row goes: behind the head of its key where one stands, else due by itself (OB-42)."""
        if isinstance(item.outcome, Failed | Quarantined):
            failure = self._decide(item, item.outcome)
        else:
            failure = RowFailure(Status.RETRYING, 0, _NOW, "", "")
        if failure.status != Status.RETRYING or not item.parks_key or item.order_key is None:
            return failure
        if keys.get(item.order_key, FREE).holds(self._facts.hold_types):
            return RowFailure(Status.PARKED, failure.attempts, None, failure.code, failure.text)
        return failure

    def _decide(self, item: Item, outcome: Failed | Quarantined) -> RowFailure:
        if isinstance(outcome, Quarantined):
            return RowFailure(Status.QUARANTINED, item.attempts, None, outcome.code, outcome.text, "quarantined")
        decided = decide(
            self._policy,
            outcome.failure,
            attempts=item.attempts,
            max_retry=self._policy.max_retry if item.max_retry is None else item.max_retry,
            failing_for=timedelta(seconds=item.failing_seconds),
            chance=self._clock.chance(),
            at_least=outcome.at_least,
        )
        if isinstance(decided, Bury):
            return RowFailure(Status.DEAD, decided.attempts, None, outcome.code, outcome.text)
        cause = outcome.cause or _CAUSES[Failed]
        return RowFailure(Status.RETRYING, decided.attempts, decided.due, outcome.code, outcome.text, cause)

    def _params(self, item: Item, failure: RowFailure, *, stranger: bool) -> dict[str, Any]:
        envelope, origin = item.envelope, item.origin
        coordinates = origin.coordinates if isinstance(origin, ReceivedMessage) else str(item.message_id)
        key = None if item.order_key is None or is_key(item.order_key[1]) is None else item.order_key[1]
        message_id = coordinates_id(coordinates) if stranger or envelope is None else item.message_id
        outcome = item.outcome
        params = {
            "consumer_id": self._facts.consumer_id,
            "message_id": message_id,
            "origin": coordinates[-ORIGIN_MAX:],
            "topic": item.topic,
            "message_key": key,
            "key_hash": key_hash(key, message_id),
            "fingerprint": item.fingerprint,
            "status": str(failure.status),
            "cause": (isinstance(outcome, Failed) and outcome.cause) or _CAUSES[type(outcome)],
            "attempts": failure.attempts,
            "max_retry": self._policy.max_retry,
            "delay": failure.delay,
            "error_code": failure.code or None,
            "last_error": failure.text or None,
            "failed": isinstance(outcome, Failed)
            and (outcome.failure is not Failure.UNCOUNTED or outcome.code in SUSPICIONS),
        }
        if envelope is None:
            raw = origin if isinstance(origin, ReceivedMessage) else None
            return params | {
                "sequence": None,
                "type": "",
                "version": 0,
                "content_type": "application/octet-stream",
                "headers": stored_strangeness(raw.raw_headers if raw else None),
                "body": raw.raw_body if raw else b"",
                "generation": 0,
            }
        return params | {
            "sequence": envelope.sequence,
            "type": envelope.type,
            "version": envelope.version,
            "content_type": envelope.content_type,
            "headers": stored_attributes(envelope),
            "body": envelope.body,
            "generation": envelope.generation,
        }


def _after(state: KeyState, item: Item, failure: RowFailure) -> KeyState:
    """How a key stands once this row is written."""
    if failure.status == Status.DEAD:
        return KeyState(state.blocked, (*state.dead_types, item.type))
    return KeyState(state.blocked or failure.status in {Status.RETRYING, Status.PARKED}, state.dead_types)
