"""Steps of an operator's verbs: looking at messages and exception rows, and the few changes a person may make.

Invariant: who does not own a lane turns dead, quarantined or done into retrying with a higher generation, or parked, dead and
quarantined into done (discarded), by compare-and-set under a lock on the cursor row (the consumer's row in the inbox), with
the audit row in the same transaction (OB-41, OB-79). Everything else is refused.

Filter parameters of `list_messages` and `list_exceptions`, None for any: `state` `type` `destination` `message_key`
`consumer` `code` `cause` text, `since` `until` datetime, `min_attempts` int, `id` UUID, `log_id` int; `limit` int.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from outrider.core.deliveries import decide_queues
from outrider.core.delivery import Event, Status, transition
from outrider.core.errors import InvariantViolated, OperationRefused
from outrider.core.lane import LaneKey
from outrider.core.steps import Statement, Steps
from outrider.core.text import clean_text

PAGE_MAX: Final = 200
LOG, INBOX = 0, 1
"""Where an exception row stands: `outbox_delivery` or `inbox_delivery`."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for; None means any. `since` and `until` bound the row's last change (a message's creation)."""

    state: str | None = None
    type: str | None = None
    destination: str | None = None
    message_key: str | None = None
    consumer: str | None = None
    code: str | None = None
    cause: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_attempts: int | None = None
    id: UUID | None = None
    log_id: int | None = None

    def params(self) -> dict[str, Any]:
        """As parameters of a statement."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def said(self) -> dict[str, str]:
        """What was asked for, as the audit row keeps it."""
        return {name: str(value) for name, value in self.params().items() if value is not None}


class MessageLine(NamedTuple):
    """A message in a list, its state derived; the columns of the view `outbox_status` but its service (OB-24)."""

    message_id: UUID
    log_id: int
    type: str
    topic: str
    key: str | None
    state: str
    retry_count: int
    max_retry: int
    next_retry_at: datetime | None
    error_code: str | None
    last_error: str | None
    published_at: datetime | None
    consumed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    resolution: str | None


class ExceptionLine(NamedTuple):
    """An exception row in a list. `place` is LOG or INBOX, `row_id` the log id or the inbox row's id, `owner_id` the
    subscription or consumer and `reader` its name; `consumed` says that the message has all receipts expected here.
    """

    place: int
    row_id: int
    owner_id: int
    reader: str
    message_id: UUID
    type: str
    topic: str
    key: str | None
    key_hash: int
    status: str
    cause: str
    attempts: int
    max_retry: int
    generation: int
    next_retry_at: datetime | None
    error_code: str | None
    last_error: str | None
    first_failed_at: datetime | None
    updated_at: datetime
    resolution: str | None
    consumed: bool


class LaneOf(NamedTuple):
    """Which lane an exception row of the log belongs to."""

    key: LaneKey
    broker: str | None


def list_messages(wanted: Filter, before: int | None, limit: int) -> Steps[list[MessageLine]]:
    """Messages, newest first, below log id `before`. Statement `list_messages` → rows of `MessageLine`."""
    rows = yield Statement("list_messages", {**wanted.params(), "before": before, "limit": check_limit(limit)})
    return [MessageLine(*row) for row in rows]


def list_exceptions(
    wanted: Filter, after: tuple[int, int, int] | None, limit: int, statuses: Sequence[str] = ("dead", "quarantined")
) -> Steps[list[ExceptionLine]]:
    """Exception rows, those of the log first, then those of the inbox, each oldest first, behind `after`.

    Statement `list_exceptions` with `after_place`, `after_id`, `after_owner`, `statuses` (names joined by commas) → rows of
    `ExceptionLine`. `after` is a row's (place, row_id, owner_id).
    """
    place, row_id, owner = after or (-1, -1, -1)
    rows = yield Statement(
        "list_exceptions",
        {
            **wanted.params(), "after_place": place, "after_id": row_id, "after_owner": owner,
            "statuses": f",{','.join(statuses)},", "limit": check_limit(limit),
        },
    )  # fmt: skip
    return [ExceptionLine(*row)._replace(consumed=bool(row[-1])) for row in rows]


def read_receipts(message_id: UUID) -> Steps[list[tuple[str, datetime]]]:
    """Who has consumed a message, and when. Statement `message_receipts` (message_id) → rows (name, consumed_at)."""
    rows = yield Statement("message_receipts", {"message_id": message_id})
    return [(str(name), at) for name, at in rows]


def read_body(message_id: UUID) -> Steps[tuple[bytes, str, str | None] | None]:
    """Body, content type and headers (JSON text). Statement `message_body` (message_id) → at most one such row."""
    rows = yield Statement("message_body", {"message_id": message_id})
    return (bytes(rows[0][0]), rows[0][1], rows[0][2]) if rows else None


def change(lines: Sequence[ExceptionLine], event: Event) -> Steps[list[ExceptionLine]]:
    """Replay or discard exception rows that still are as they were read; gives those that were changed. In a transaction.

    Statements: `lock_cursor_of` (subscription_id, key_hash) → (lane, broker) under a lock on the cursor row;
    `lock_consumer` (consumer_id); `replay_delivery`, `discard_delivery` (subscription_id, log_id, status, generation),
    `replay_inbox`, `discard_inbox` (id, status, generation), each → one row where the compare-and-set held.
    """
    for line in lines:
        transition(Status(line.status), event)
    verb = {Event.REPLAYED: "replay", Event.DISCARDED: "discard"}[event]
    lanes = yield from _lock_lanes([line for line in lines if line.place == LOG])
    for consumer_id in sorted({line.owner_id for line in lines if line.place == INBOX}):
        yield Statement("lock_consumer", {"consumer_id": consumer_id})
    changed = []
    for line in sorted(lines, key=lambda one: one[:3]):
        expected = {"status": line.status, "generation": line.generation}
        if line.place == LOG:
            params = {"subscription_id": line.owner_id, "log_id": line.row_id}
            rows = yield Statement(f"{verb}_delivery", {**params, **expected})
        else:
            rows = yield Statement(f"{verb}_inbox", {"id": line.row_id, **expected})
        if rows:
            changed.append(line)
    if event is Event.DISCARDED:
        for line in changed:
            if line.place == LOG and line.key is not None:
                lane = lanes[line.owner_id, line.key_hash]
                yield from decide_queues(lane.key, {(line.topic, line.key): 1}, lane.broker)
    return changed


def _lock_lanes(lines: Sequence[ExceptionLine]) -> Steps[dict[tuple[int, int], LaneOf]]:
    wanted = sorted({(line.owner_id, line.key_hash) for line in lines})
    found: dict[tuple[int, int], LaneOf] = {}
    for subscription_id, key_hash in wanted:
        rows = yield Statement("lock_cursor_of", {"subscription_id": subscription_id, "key_hash": key_hash})
        if not rows:
            raise InvariantViolated(f"subscription {subscription_id} has no cursor for the lane of hash {key_hash}")
        found[subscription_id, key_hash] = LaneOf(LaneKey(subscription_id, int(rows[0][0])), rows[0][1])
    return found


def pause(
    kind: str, topic: str, subject: str, actor: str, reason: str, until: datetime | None, broker: str = ""
) -> Steps[None]:
    """Pause by a person's word, over an automatic one. Statement `insert_pause` of these. Source: OB-42."""
    yield Statement(
        "insert_pause",
        {"kind": kind, "broker": broker, "topic": topic, "subject": subject, "actor": clean_text(actor, 255),
         "reason": clean_text(reason), "until": until},
    )  # fmt: skip


def resume(kind: str, topic: str, subject: str) -> Steps[int]:
    """End a pause, whoever made it; gives how many there were. Statement `delete_pause` → a row for each."""
    rows = yield Statement("delete_pause", {"kind": kind, "topic": topic, "subject": subject})
    return len(rows)


def check_limit(limit: int) -> int:
    """A page's limit, one more allowed to see whether there is another. Raises OperationRefused."""
    if not 1 <= limit <= PAGE_MAX + 1:
        raise OperationRefused(f"a page has 1 to {PAGE_MAX} rows")
    return limit
