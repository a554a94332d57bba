"""What happens inside one handling transaction, written once for threads and for the event loop.

A generator yields effects, is sent their results, and returns what became of messages that were not simply handled. The
two drivers at the end perform them. Invariant: receipts come first, handlers in order, and nothing is decided for the
outside until the commit has returned (OB-66, OB-67).
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from outrider.consumer.buffer import Head
from outrider.consumer.item import Item
from outrider.core.consume_plan import (
    DUPLICATE,
    HANDLED,
    PARKED,
    STANDING,
    DatabaseFault,
    Failed,
    HandleOutcome,
    Quarantined,
    read_error,
)
from outrider.core.errors import StorageUnavailable
from outrider.core.inbox import (
    FREE,
    InboxRow,
    KeyState,
    OrderKey,
    Recorded,
    close_rows,
    find_keys,
    find_receipts,
    find_rows,
    last_sequences,
    raise_sequences,
    record_receipts,
    withdraw_receipts,
)
from outrider.core.steps import Rows, Statement, Steps
from outrider.ports.statements import Texts

Decided = dict[Item, HandleOutcome]


@dataclass(frozen=True, slots=True)
class Through:
    """A statement with the texts of another service: the log's, where the log is the source."""

    statement: Statement
    texts: Texts


@dataclass(frozen=True, slots=True)
class Guarded:
    """Call the handler of `item` inside a savepoint."""

    item: Item


@dataclass(frozen=True, slots=True)
class Company:
    """Call the handler of these items, the same for all, once for all of them."""

    items: Sequence[Item]


Effect = Statement | Through | Guarded | Company | Item
Attempt = Generator[Effect, Any, Decided]


@dataclass(slots=True)
class Facts:
    """What an attempt must know of its consumer. `arrays`: whether the storage takes lists."""

    consumer_id: int
    arrays: bool
    hold_types: frozenset[str] = frozenset()
    late_types: bool = False
    receipts_from: datetime | None = None


class BrokenAttempt(Exception):
    """The transaction is of no more use; `item` is the one whose handler was running, if one was."""

    def __init__(self, item: Item | None, error: Exception, fault: DatabaseFault | None) -> None:
        super().__init__(str(error))
        self.item, self.error, self.fault = item, error, fault


class Due(Protocol):
    """What an attempt at a due row needs of the store that keeps it."""

    def lock(self, head: Head) -> Generator[Effect, Any, Item | None]:
        """Lock the row; None where it is no longer due, or somebody else's."""
        ...

    def finish(self, item: Item) -> Generator[Effect, Any, None]:
        """Mark the row done and promote the next of its key, last before the commit."""
        ...


def attempt(items: Sequence[Item], facts: Facts, *, savepoints: bool) -> Attempt:
    """Receipts for all, then each handler in order. Gives what was not simply handled; what it does not name was."""
    decided: Decided = {}
    recorded = yield from record_receipts(
        facts.consumer_id,
        [item.message_id for item in items],
        [item.fingerprint for item in items],
        arrays=facts.arrays,
        texts=[item.id_text for item in items],
    )
    if recorded.new is not None or recorded.has_rows:
        decided = yield from sort_out(items, recorded, facts)
    if facts.late_types:
        decided |= yield from check_order([item for item in items if item not in decided], facts)
    failed_keys: set[OrderKey] = set()
    withdrawn: list[Item] = []
    todo = [item for item in items if item not in decided] if decided else items
    if not savepoints:
        yield from _calls_of(todo)
        return decided
    for item in todo:
        if item.order_key in failed_keys:
            withdrawn.append(item)
        else:
            failure = yield Guarded(item)
            if failure is not None:
                decided[item] = failure
                withdrawn.append(item)
                if item.parks_key and item.order_key is not None:
                    failed_keys.add(item.order_key)
    yield from withdraw_receipts(facts.consumer_id, [item.message_id for item in withdrawn], arrays=facts.arrays)
    if failed_keys:
        decided |= {item: PARKED for item in withdrawn if item not in decided}
    return decided


def _calls_of(items: Sequence[Item]) -> Iterator[Item | Company]:
    """A call for each, in order; one for several in a row whose handler takes them together."""
    company: list[Item] = []
    for item in items:
        if company and company[0].handler is not item.handler:
            yield from _called(company)
            company = []
        if item.handler is None or item.handler.together is None:
            yield item
        else:
            company.append(item)
    yield from _called(company)


def _called(company: list[Item]) -> Iterator[Item | Company]:
    if len(company) > 1:
        yield Company(company)
    else:
        yield from company


def attempt_due(
    head: Head, due: Due, facts: Facts, prepare: Callable[[Item], None], doomed: Failed | None = None
) -> Generator[Effect, Any, Item | None]:
    """Try one due row: lock it, receipt, handler, and the row's end, in one transaction.

    Gives the item with its outcome, or None where the row was nobody's to try. An outcome that is neither handled nor
    a duplicate is to be written after the transaction. `doomed` is its outcome without a try, unless it has its receipt.
    """
    item = yield from due.lock(head)
    if item is None:
        return None
    prepare(item)
    if item.outcome is None:
        recorded = yield from record_receipts(
            facts.consumer_id, [item.message_id], [item.fingerprint], arrays=facts.arrays, texts=[item.id_text]
        )
        if recorded.new is None and doomed is not None:
            yield from withdraw_receipts(facts.consumer_id, [item.message_id], arrays=facts.arrays)
            item.outcome = doomed
        elif recorded.new is None:
            yield from raise_sequences(facts.consumer_id, _sequences([item]))
            yield item
            item.outcome = HANDLED
        else:
            receipts = yield from find_receipts(facts.consumer_id, [item.message_id], arrays=facts.arrays)
            item.outcome = DUPLICATE if receipts.get(item.message_id) == item.fingerprint else COLLISION
    if not isinstance(item.outcome, Quarantined | Failed):
        yield from due.finish(item)
    return item


COLLISION = Quarantined("id.collision", "another message has this id", stranger=True)


def sort_out(items: Sequence[Item], recorded: Recorded, facts: Facts) -> Steps[Decided]:
    """Decide the messages that are not simply new, and take their receipts back (OB-47 to OB-49, OB-54)."""
    known = {item for item in items if recorded.new is not None and item.message_id not in recorded.new}
    arrays, consumer_id = facts.arrays, facts.consumer_id
    receipts = yield from find_receipts(consumer_id, [item.message_id for item in known], arrays=arrays)
    rows: dict[Any, InboxRow] = {}
    keys: dict[OrderKey, KeyState] = {}
    if recorded.has_rows:
        rows = yield from find_rows(consumer_id, [item.message_id for item in items], arrays=arrays)
        wanted = dict.fromkeys(item.order_key for item in items if item.parks_key and item.order_key is not None)
        keys = yield from find_keys(consumer_id, list(wanted), arrays=arrays)
    decided: Decided = {}
    for item in items:
        outcome = _sorted(item, item in known, receipts, rows, keys, facts.hold_types)
        if outcome is not None:
            decided[item] = outcome
    withdrawn = [item.message_id for item in decided if item not in known]
    yield from withdraw_receipts(consumer_id, withdrawn, arrays=arrays)
    unfinished = [item.message_id for item in decided if decided[item] is DUPLICATE and item.message_id in rows]
    yield from close_rows(consumer_id, unfinished, arrays=arrays)
    return decided


def _sorted(
    item: Item,
    known: bool,
    receipts: dict[Any, int],
    rows: dict[Any, InboxRow],
    keys: dict[OrderKey, KeyState],
    hold_types: frozenset[str],
) -> HandleOutcome | None:
    """What becomes of one message; None: its handler is called."""
    if known:
        mark = receipts.get(item.message_id)
        if mark is None:
            raise StorageUnavailable(f"the receipt of message {item.message_id} went away while it was read")
        return DUPLICATE if mark == item.fingerprint else COLLISION
    row = rows.get(item.message_id)
    if row is not None:
        return STANDING if row.fingerprint == item.fingerprint else COLLISION
    if item.parks_key and item.order_key is not None and keys.get(item.order_key, FREE).holds(hold_types):
        return PARKED
    return None


def check_order(items: Sequence[Item], facts: Facts) -> Steps[Decided]:
    """For types with `late=park`, set aside what came after a later one of its key, and remember the last (OB-63)."""
    wanted = _sequences(items)
    if not wanted:
        return {}
    last = yield from last_sequences(facts.consumer_id, list(wanted), arrays=facts.arrays)
    decided: Decided = {}
    raised: dict[OrderKey, int] = {}
    for item in items:
        watched = _watched(item)
        if watched is None:
            continue
        key, sequence = watched
        if sequence < last.get(key, sequence):
            text = f"sequence {sequence} came after {last[key]}"
            decided[item] = Quarantined("order.late", text, last_sequence=last[key])
        else:
            last[key] = raised[key] = sequence
    yield from withdraw_receipts(facts.consumer_id, [item.message_id for item in decided], arrays=facts.arrays)
    yield from raise_sequences(facts.consumer_id, raised)
    return decided


def _watched(item: Item) -> tuple[OrderKey, int] | None:
    """Key and sequence of a message of a type with `late=park`."""
    envelope, handler = item.envelope, item.handler
    if handler is None or not handler.late_parks or item.order_key is None or envelope is None:
        return None
    return None if envelope.sequence is None else (item.order_key, envelope.sequence)


def _sequences(items: Sequence[Item]) -> dict[OrderKey, int]:
    """The highest sequence of each key of types with `late=park`."""
    found: dict[OrderKey, int] = {}
    for key, sequence in filter(None, map(_watched, items)):
        found[key] = max(sequence, found.get(key, sequence))
    return found


class Calls(Protocol):
    """How a driver calls a handler in a thread. Raises whatever the handler raised, or TransactionLeft."""

    current: Item | None

    def call(self, item: Item, tx: Any) -> None:  # noqa: ANN401 - HandlerTransaction
        """Call the handler of `item`."""
        ...

    def call_together(self, items: Sequence[Item], tx: Any) -> None:  # noqa: ANN401 - HandlerTransaction
        """Call the handler of `items` once for all of them; where it fails it is nobody's failure yet."""
        ...


class AsyncCalls(Protocol):
    """How a driver calls a handler in the event loop."""

    current: Item | None

    async def call(self, item: Item, tx: Any) -> None:  # noqa: ANN401 - AsyncHandlerTransaction
        """Call the handler of `item`, within its timeout."""
        ...

    async def call_together(self, items: Sequence[Item], tx: Any) -> None:  # noqa: ANN401 - AsyncHandlerTransaction
        """Call the handler of each."""
        ...


FaultOf = Callable[[BaseException], DatabaseFault | None]


def _refused(item: Item, error: Exception, intact: bool, fault_of: FaultOf) -> Failed:
    """The failure of a handler whose savepoint was rolled back. Raises BrokenAttempt where the transaction broke."""
    fault = None if intact else fault_of(error)
    if not intact or fault is not None:
        raise BrokenAttempt(item, error, fault) from error
    return read_error(error, None)


def _guarded(item: Item, tx: Any, calls: Calls, fault_of: FaultOf) -> Failed | None:  # noqa: ANN401 - of any library
    """Call the handler in a savepoint."""
    try:
        with tx.savepoint():
            calls.call(item, tx)
    except Exception as error:  # noqa: BLE001 - whatever the user's handler raised
        failed = _refused(item, error, tx.is_intact(), fault_of)
        calls.current = None
        return failed
    return None


async def _guarded_async(item: Item, tx: Any, calls: AsyncCalls, fault_of: FaultOf) -> Failed | None:  # noqa: ANN401 - the same
    """The same in the event loop."""
    try:
        async with tx.savepoint():
            await calls.call(item, tx)
    except Exception as error:  # noqa: BLE001 - whatever the user's handler raised
        failed = _refused(item, error, tx.is_intact(), fault_of)
        calls.current = None
        return failed
    return None


def drive(work: Generator[Effect, Any, Any], tx: Any, texts: Texts, calls: Calls, fault_of: FaultOf) -> Any:  # noqa: ANN401 - the work's own result
    """Perform `work` in the transaction `tx`, in this thread. What an effect raises is raised inside the work."""
    result: Rows | Failed | None
    try:
        effect = next(work)
        while True:
            result = None
            try:
                match effect:
                    case Item():
                        calls.call(effect, tx)
                    case Statement():
                        result = tx.execute(effect, texts)
                    case Through(statement, other):
                        result = tx.execute(statement, other)
                    case Guarded(item):
                        result = _guarded(item, tx, calls, fault_of)
                    case Company(items):
                        calls.call_together(items, tx)
            except Exception as error:  # noqa: BLE001 - handed into the work, which lets it pass
                effect = work.throw(error)
            else:
                effect = work.send(result)
    except StopIteration as done:
        return done.value


async def drive_async(
    work: Generator[Effect, Any, Any],
    tx: Any,  # noqa: ANN401 - an AsyncHandlerTransaction of any library
    texts: Texts,
    calls: AsyncCalls,
    fault_of: FaultOf,
) -> Any:  # noqa: ANN401 - the work's own result
    """The same in the event loop."""
    result: Rows | Failed | None
    try:
        effect = next(work)
        while True:
            result = None
            try:
                match effect:
                    case Item():
                        await calls.call(effect, tx)
                    case Statement():
                        result = await tx.execute(effect, texts)
                    case Through(statement, other):
                        result = await tx.execute(statement, other)
                    case Guarded(item):
                        result = await _guarded_async(item, tx, calls, fault_of)
                    case Company(items):
                        await calls.call_together(items, tx)
            except Exception as error:  # noqa: BLE001 - handed into the work, which lets it pass
                effect = work.throw(error)
            else:
                effect = work.send(result)
    except StopIteration as done:
        return done.value
