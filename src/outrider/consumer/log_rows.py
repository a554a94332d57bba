"""The rows of messages that came from the log: `outbox_delivery` of the subscription, bodies stay in the log.

Invariant: every row is written in a transaction that has locked the lane; in a handler's transaction the row's lock and
the receipt are the fence, and the lane is locked last, to promote the next head (OB-41).

Statements beside `core.deliveries`: `lock_delivery` `subscription_id, log_id` → (attempts, microseconds since its first
failure) of a due row, skipping one that somebody holds; `next_delivery_due` with the lane → (seconds);
`find_unread_kinds` `subscription_id` → (type, version) of rows that were not understood; `release_unread` with the lane,
`type`, `version` → (message_id, topic, message_key) of each that queues up again;
`has_dead_deliveries` → (whether the relay has dead rows); `close_dead_deliveries` over `message_id` → (log_id).
"""

from collections.abc import Generator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from outrider.consumer.attempt import Effect, Through
from outrider.consumer.buffer import Head
from outrider.consumer.item import Item
from outrider.consumer.log_lane import LogLane, LogOrigin
from outrider.consumer.tell import Teller
from outrider.core.consume_plan import PARKED, Failed, Parked, Quarantined
from outrider.core.cursors import lock
from outrider.core.deliveries import (
    HOLD,
    Changes,
    Due,
    KeyOf,
    NewDelivery,
    Written,
    decide_queues,
    key_of,
    read_blocked,
    read_due,
    write_changes,
)
from outrider.core.delivery import Status
from outrider.core.inbox import RowFailure
from outrider.core.log_row import parse_kind
from outrider.core.outcome import Refusal, Refused
from outrider.core.retry import Bury, RetryAt, RetryPolicy, decide
from outrider.core.steps import Statement, Steps, T
from outrider.core.suspects import NEXT, armed_delay, named
from outrider.ports.clock import Clock
from outrider.ports.statements import Texts
from outrider.runtime.sessions import Sessions


class LogRows:
    """The rows of one producing service's log. `lanes` are those that this process owns at present, by number."""

    def __init__(
        self,
        sessions: Sessions,
        texts: Texts,
        lanes: Mapping[int, LogLane],
        hold_types: frozenset[str],
        policy: RetryPolicy,
        clock: Clock,
        teller: Teller,
    ) -> None:
        self._sessions = sessions
        self._texts = texts
        self._lanes = lanes
        self._hold_types = hold_types
        self._policy = policy
        self._clock = clock
        self._teller = teller
        self._due: dict[int, tuple[LogLane, Due]] = {}

    async def close(self) -> None:
        """Close its connection. Never raises."""
        await self._sessions.close()

    async def take_up(self, lane: LogLane, understood: Mapping[str, int]) -> None:
        """When a lane is taken: release what is understood by now, in the order of the log (OB-70), and see whose later
        messages wait.
        """
        self._due = {log_id: due for log_id, due in self._due.items() if not due[0].lost}
        for message_id, topic, type_name in await self._sessions.transact(_release(lane, understood)):
            self._teller.released(str(message_id), type_name, topic)
        lane.blocked = await self._sessions.run(read_blocked(lane.key, lane.lanes))

    def hold_back(self, items: Sequence[Item]) -> None:
        """Park what is of a blocked key, and what is not due yet."""
        for item in items:
            origin = item.origin
            if origin.due_at is not None:
                item.outcome = Parked("deliver_at", until_due=True)
            elif item.order_key is not None and item.order_key in _lane(item).blocked:
                item.outcome = PARKED

    async def write(self, items: Sequence[Item]) -> None:
        """Write the rows of each lane in one transaction under its epoch. Raises LeaseLost."""
        wanted: dict[LogLane, list[Item]] = {}
        for item in items:
            if isinstance(item.outcome, Failed | Parked | Quarantined):
                wanted.setdefault(_lane(item), []).append(item)
        for lane, some in wanted.items():
            changes = Changes()
            told = [(item, self._new(item, changes)) for item in some]
            written = await self._sessions.transact(_locked(lane, changes))
            for item, failure in told:
                if item.order_key is not None and self._blocks(item, failure):
                    lane.blocked.add(item.order_key)
                self._teller.row_written(item, failure, parked=failure.status in {Status.PARKED, Status.WAITING})
            lane.blocked -= written.cleared

    async def due(self, limit: int) -> tuple[list[Head], float | None]:
        """The due rows of every lane; what has come due behind a blocked key goes behind it."""
        heads: list[Head] = []
        seconds: float | None = None
        for lane in [lane for lane in self._lanes.values() if not lane.leaving]:
            lane.blocked = await self._sessions.run(read_blocked(lane.key, lane.lanes))
            found = await self._sessions.run(read_due(lane.key, lane.lanes, limit))
            behind = [due for due in found if due.status is Status.WAITING and key_of(due.row) in lane.blocked]
            if behind:
                await self._sessions.transact(_locked(lane, Changes(parked=[(due, "key") for due in behind])))
            for due in found:
                if due not in behind:
                    self._due[due.row[0]] = lane, due
                    heads.append(Head(due.row[0], key_of(due.row), due.cause))
            if not found:
                rows = await self._sessions.run(_next_due(lane))
                if rows is not None:
                    seconds = rows if seconds is None else min(seconds, rows)
        return heads, 0.0 if heads else seconds

    async def arm(self, head: Head) -> bool:
        """Write what the row of a suspect says if the process dies of trying it."""
        lane, due = self._due.get(int(str(head.id)), (None, None))
        cause = NEXT.get(head.cause)
        if cause is None or lane is None or due is None:
            return True
        again = RetryAt(armed_delay(self._policy, cause), due.attempts)
        await self._sessions.transact(_locked(lane, Changes(retried=[(named(due, cause), again, None)])))
        return True

    def lock(self, head: Head) -> Generator[Effect, Any, Item | None]:
        """Lock the row; its message was read with it, for the log never changes."""
        lane, due = self._due.get(int(str(head.id)), (None, None))
        if lane is None or due is None or lane.lost or lane.leaving:
            return None
        params = {"subscription_id": lane.key.subscription_id, "log_id": due.row[0], "armed": head.cause in NEXT}
        rows = yield Through(Statement("lock_delivery", params), self._texts)
        if not rows:
            return None
        kind = parse_kind(due.row[2])
        item = lane.item(due.row, kind, None)
        item.head, item.attempts, item.failing_seconds = due.row[0], rows[0][0], rows[0][1] / 1_000_000
        item.origin = DueOrigin(lane, due._replace(attempts=rows[0][0]))
        return item

    def finish(self, item: Item) -> Generator[Effect, Any, None]:
        """The row is done; the lane is locked last, to make the next of its key its head."""
        origin: DueOrigin = item.origin
        changes = Changes(delivered=[origin.due])
        changes.look_again(item.order_key)
        yield from self._through(_locked(origin.lane, changes))

    async def fail(self, item: Item) -> None:
        """Count the failure, or put the row where it belongs."""
        origin: DueOrigin = item.origin
        outcome, changes = item.outcome, Changes()
        if not isinstance(outcome, Failed | Quarantined):
            return
        failure, decided = self._decide(item, outcome)
        refused = Refused(Refusal.PERMANENT, outcome.code, outcome.text)
        if isinstance(decided, RetryAt):
            cause = outcome.cause if isinstance(outcome, Failed) else None
            due = origin.due if cause is None else named(origin.due, cause)
            changes.retried.append((due, decided, refused))
        elif isinstance(decided, Bury):
            held = item.type in self._hold_types
            changes.buried.append((origin.due, decided, refused, held))
            changes.look_again(item.order_key)
        else:
            new = NewDelivery(origin.due.row, Status.QUARANTINED, "quarantined", item.attempts, refused=refused)
            changes.new.append(new)
            changes.look_again(item.order_key)
        await self._sessions.transact(_locked(origin.lane, changes))
        self._teller.row_written(item, failure, parked=False)

    def tried(self, head: Head) -> None:
        """Forget it."""
        self._due.pop(int(str(head.id)), None)

    def tries(self, lane: LogLane) -> bool:
        """Whether a due row of `lane` is in hand."""
        return any(owner is lane for owner, _ in self._due.values())

    def _through(self, steps: Steps[T]) -> Generator[Effect, Any, T]:
        """The steps with the texts of the producing service."""
        try:
            statement = next(steps)
            while True:
                rows = yield Through(statement, self._texts)
                statement = steps.send(rows)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # StopIteration.value is Any by nature

    def _new(self, item: Item, changes: Changes) -> RowFailure:
        """Add the row of a message that did not go straight through."""
        origin: LogOrigin = item.origin
        outcome = item.outcome
        if isinstance(outcome, Parked):
            if outcome.until_due:
                changes.new.append(NewDelivery(origin.row, Status.WAITING, "deliver_at", due_at=origin.due_at))
                return RowFailure(Status.WAITING, 0, None, "", "")
            if item.order_key is None:
                raise AssertionError("only a message with a key queues up")
            changes.new.append(NewDelivery(origin.row, Status.PARKED, "key"))
            changes.look_again(item.order_key)
            return RowFailure(Status.PARKED, 0, None, "", "")
        if not isinstance(outcome, Failed | Quarantined):
            raise TypeError("only what failed, waits or is not understood has a row")
        failure, decided = self._decide(item, outcome)
        refused = Refused(Refusal.PERMANENT, outcome.code, outcome.text)
        delay = decided.due if isinstance(decided, RetryAt) else None
        status = Status(failure.status)
        own = (isinstance(outcome, Failed) and outcome.cause) or "handler"
        cause = HOLD if status is Status.DEAD and item.type in self._hold_types else own
        changes.new.append(NewDelivery(origin.row, status, cause, failure.attempts, delay, refused=refused))
        return failure

    def _decide(self, item: Item, outcome: Failed | Quarantined) -> tuple[RowFailure, RetryAt | Bury | None]:
        if isinstance(outcome, Quarantined):
            return RowFailure(Status.QUARANTINED, item.attempts, None, outcome.code, outcome.text), None
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
            return RowFailure(Status.DEAD, decided.attempts, None, outcome.code, outcome.text), decided
        return RowFailure(Status.RETRYING, decided.attempts, decided.due, outcome.code, outcome.text), decided

    def _blocks(self, item: Item, failure: RowFailure) -> bool:
        if failure.status == Status.DEAD:
            return item.type in self._hold_types
        return failure.status in {Status.RETRYING, Status.PARKED} and item.parks_key


class DueOrigin:
    """Where a retried item came from: its row, and the lane that owns it."""

    __slots__ = ("due", "due_at", "lane")

    def __init__(self, lane: LogLane, due: Due) -> None:
        self.lane = lane
        self.due = due
        self.due_at = None


def _lane(item: Item) -> LogLane:
    origin = item.origin
    if isinstance(origin, LogOrigin) and origin.chunk is not None:
        return origin.chunk.lane
    raise AssertionError("the item was not read from the log by this process")


def _locked(lane: LogLane, changes: Changes) -> Steps[Written]:
    yield from lock(lane.key, lane.epoch)
    return (yield from write_changes(lane.key, changes, None))


def _next_due(lane: LogLane) -> Steps[float | None]:
    rows = yield Statement("next_delivery_due", {**lane.key._asdict(), "lanes": lane.lanes})
    return None if not rows or rows[0][0] is None else float(rows[0][0])


def _release(lane: LogLane, understood: Mapping[str, int]) -> Steps[list[tuple[UUID, str, str]]]:
    key = lane.key
    yield from lock(key, lane.epoch)
    released: list[tuple[UUID, str, str]] = []
    again: dict[KeyOf, int] = {}
    for kind, version in (yield Statement("find_unread_kinds", {"subscription_id": key.subscription_id})):
        if version > understood.get(kind, 0):
            continue
        lanes = {"subscription_id": key.subscription_id, "lane": key.lane, "lanes": lane.lanes}
        for message_id, topic, name in (yield Statement("release_unread", {**lanes, "type": kind, "version": version})):
            released.append((message_id, topic, kind))
            if name is not None:
                again[topic, name] = 1
    yield from decide_queues(key, again, None)
    return released
