"""Where a message is: derived from cursors, exception rows and receipts, never stored.

Invariant: the state is the first that holds of consumed, dead, pending, published; `deliveries` shows what it was derived
from. Source: spec/outbox.md OB-23, OB-24.

Statements (times aware, JSON as text):
- `status_message` (message_id) and `status_message_at` (log_id) give log_id, message_id, type, topic, message_key,
  max_retry, created_at, consumers_here (the route's, or None)
- `status_subscriptions` (log_id) gives, for each relay or handler subscription that carries the type: name, kind, passed,
  passed_at (the first advance past it, where it has no exception row), then `_ROW` of its exception row or None
- `status_consumers` (message_id) gives, for each consumer with a receipt or an exception row: name, consumed_at, `_ROW`
- `_ROW` = status, attempts, max_retry, next_retry_at, error_code, last_error, updated_at, done_at, resolution
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from json import loads
from typing import Any, Literal
from uuid import UUID

from outrider.core.errors import MessageNotFound
from outrider.core.steps import Row, Rows, Statement, Steps
from outrider.core.stored import as_utc, as_uuid

Reader = Literal["relay", "handler", "consumer"]


class MessageState(StrEnum):
    """Where a message is, over all its readers."""

    PENDING = "pending"
    PUBLISHED = "published"
    CONSUMED = "consumed"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class ReaderStatus:
    """How far one subscription or consumer is with a message.

    `status` is that of its exception row, None where the message goes, or went, straight through; `settled_at` the time
    it was published or consumed.
    """

    name: str
    kind: Reader
    state: MessageState
    status: str | None = None
    retry_count: int = 0
    max_retry: int | None = None
    next_retry_at: datetime | None = None
    error_code: str | None = None
    last_error: str | None = None
    updated_at: datetime | None = None
    settled_at: datetime | None = None
    resolution: str | None = None


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """Where a message is. Single values are those of the row that decides `state`; times are UTC.

    Of a message that was pruned and has receipts here only `message_id`, `service`, `state`, `consumed_at` and
    `deliveries` are known.
    """

    message_id: UUID
    log_id: int | None
    service: str
    type: str | None
    topic: str | None
    key: str | None
    state: MessageState
    retry_count: int
    max_retry: int | None
    next_retry_at: datetime | None
    last_error: str | None
    error_code: str | None
    published_at: datetime | None
    consumed_at: datetime | None
    created_at: datetime | None
    updated_at: datetime | None
    resolution: str | None
    deliveries: tuple[ReaderStatus, ...]


def read_status(service: str, id: UUID | int) -> Steps[MessageStatus]:  # noqa: A002 - the parameter's name in the spec
    """The status of the message with this message id or log id. Raises MessageNotFound."""
    if isinstance(id, UUID):
        found = yield Statement("status_message", {"message_id": id})
    else:
        found = yield Statement("status_message_at", {"log_id": id})
    if not found and not isinstance(id, UUID):
        raise MessageNotFound(id)
    message = found[0] if found else (None, id, None, None, None, None, None, None)
    subscriptions: Rows = ()
    if found:
        subscriptions = yield Statement("status_subscriptions", {"log_id": message[0]})
    consumers = yield Statement("status_consumers", {"message_id": as_uuid(message[1])})
    lines = (*map(_subscription, subscriptions), *map(_consumer, consumers))
    if not found and not any(line.state is MessageState.CONSUMED for line in lines):
        raise MessageNotFound(id)
    return summarise(service, message, lines)


def summarise(service: str, message: Row, lines: Sequence[ReaderStatus]) -> MessageStatus:
    """One status from the message's row (`status_message`) and all that is known of its readers."""
    log_id, message_id, type_, topic, key, max_retry, created_at, consumers_here = message
    expected = frozenset(loads(consumers_here)) if consumers_here else frozenset[str]()
    state, decisive = decide(lines, expected) if log_id is not None else _consumed(lines, frozenset())
    carriers = carriers_of(lines)
    through = bool(carriers) and all(line.state is MessageState.PUBLISHED for line in carriers)
    published_at = _latest(line.settled_at for line in carriers) if through else None
    consumed_at = None
    if state is MessageState.CONSUMED:
        consumed_at = _latest(line.settled_at for line in lines if line.kind == "consumer")
    times = [line.updated_at for line in lines] + [line.settled_at for line in lines]
    return MessageStatus(
        message_id=as_uuid(message_id),
        log_id=log_id,
        service=service,
        type=type_,
        topic=topic,
        key=key,
        state=state,
        retry_count=decisive.retry_count if decisive else 0,
        max_retry=max_retry if decisive is None or decisive.max_retry is None else decisive.max_retry,
        next_retry_at=decisive.next_retry_at if decisive else None,
        last_error=decisive.last_error if decisive else None,
        error_code=decisive.error_code if decisive else None,
        published_at=published_at,
        consumed_at=consumed_at,
        created_at=as_utc(created_at),
        updated_at=_latest([as_utc(created_at), *times]),
        resolution=decisive.resolution if decisive else None,
        deliveries=tuple(lines),
    )


def decide(lines: Sequence[ReaderStatus], expected: frozenset[str]) -> tuple[MessageState, ReaderStatus | None]:
    """The state, and the line that decides it. `expected` are the consumers whose receipts are looked for here."""
    consumed = _consumed(lines, expected)
    if consumed[0] is MessageState.CONSUMED:
        return consumed
    counted = [line for line in lines if line.kind == "relay" or not expected or line.name in expected]
    has_receipt = {line.name for line in lines if line.kind == "consumer" and line.state is MessageState.CONSUMED}
    for line in counted:
        if line.state is MessageState.DEAD and not (line.kind == "handler" and line.name in has_receipt):
            return MessageState.DEAD, line
    carriers = carriers_of(lines)
    for line in carriers:
        if line.state is not MessageState.PUBLISHED:
            return MessageState.PENDING, line
    if not carriers:
        return MessageState.PENDING, None
    return MessageState.PUBLISHED, carriers[-1]


def carriers_of(lines: Sequence[ReaderStatus]) -> list[ReaderStatus]:
    """Who publishes: the relays, or where there is none the handler subscriptions."""
    relays = [line for line in lines if line.kind == "relay"]
    return relays or [line for line in lines if line.kind == "handler"]


def _consumed(lines: Iterable[ReaderStatus], expected: frozenset[str]) -> tuple[MessageState, ReaderStatus | None]:
    done = [line for line in lines if line.kind == "consumer" and line.state is MessageState.CONSUMED]
    if done and expected <= {line.name for line in done}:
        return MessageState.CONSUMED, max(done, key=lambda line: (line.settled_at is not None, line.settled_at))
    return MessageState.PENDING, None


def _subscription(row: Row) -> ReaderStatus:
    name, kind, passed, passed_at = row[:4]
    status, *_, done_at, resolution = row[4:]
    if status == "dead" or resolution == "discarded":
        state = MessageState.DEAD
    elif status == "done" or (status is None and passed):
        state = MessageState.PUBLISHED
    else:
        state = MessageState.PENDING
    settled_at = done_at if status == "done" else passed_at
    return _line(name, kind, state, settled_at if state is MessageState.PUBLISHED else None, row[4:])


def _consumer(row: Row) -> ReaderStatus:
    name, consumed_at = row[:2]
    status, *_, resolution = row[2:]
    if consumed_at is not None:
        state = MessageState.CONSUMED
    elif status == "dead" or resolution == "discarded":
        state = MessageState.DEAD
    else:
        state = MessageState.PENDING
    return _line(name, "consumer", state, consumed_at, row[2:])


def _line(
    name: str, kind: Reader, state: MessageState, settled_at: datetime | None, row: Sequence[Any]
) -> ReaderStatus:
    status, attempts, max_retry, next_retry_at, error_code, last_error, updated_at, _, resolution = row
    return ReaderStatus(
        name, kind, state, status, attempts or 0, max_retry, as_utc(next_retry_at), error_code, last_error,
        as_utc(updated_at), as_utc(settled_at), resolution,
    )  # fmt: skip


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
