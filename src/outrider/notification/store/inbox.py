"""The in-app list: items that commit with their record. Source: spec/notification.md §9, §12.

All steps are idempotent; a recipient reaches the recipient's own items alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from outrider.core.notification.content import Content
from outrider.core.steps import Statement, Steps
from outrider.notification.record import Record


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A row of `notification_inbox_item`, its columns in order. Texts are raw: pages escape them (NT-41)."""

    id: UUID
    record_id: UUID
    generation: int
    recipient_id: str
    kind: str
    title: str
    body: str
    action_url: str | None
    priority: int
    created_at: datetime
    read_at: datetime | None
    archived_at: datetime | None
    expires_at: datetime | None


ITEM_COLUMNS: Final = tuple(InboxItem.__dataclass_fields__)


def put_items(items: Sequence[tuple[UUID, Record, Content]]) -> Steps[None]:
    """Write the items, by these ids, of records' generations; left alone where there is one: exactly once.

    Statement `insert_inbox_item`, `many` of its columns but `created_at`, `read_at`, `archived_at`.
    """
    sets = [
        {
            "id": item_id, "record_id": record.id, "generation": record.generation, "recipient_id": record.recipient_id,
            "kind": record.kind, "title": content.title, "body": content.text, "action_url": content.action_url,
            "priority": record.priority, "expires_at": None,
        }
        for item_id, record, content in items
    ]  # fmt: skip
    if sets:
        yield Statement("insert_inbox_item", many=sets)


def list_items(
    recipient_id: str, limit: int, *, before: UUID | None = None, unread: bool = False
) -> Steps[list[InboxItem]]:
    """Items that are not archived, newest first, those behind `before`.

    Statement `list_inbox_items`, params `recipient_id`, `before`, `unread`, `limit` → items.
    """
    params = {"recipient_id": recipient_id, "before": before or _HIGHEST, "unread": unread, "limit": limit}
    rows = yield Statement("list_inbox_items", params)
    return [InboxItem(*row) for row in rows]


def count_unread(recipient_id: str) -> Steps[int]:
    """How many are neither read nor archived: statement `count_unread_inbox`, param `recipient_id` → `(count)`."""
    rows = yield Statement("count_unread_inbox", {"recipient_id": recipient_id})
    return int(rows[0][0])


def read_item(recipient_id: str, item_id: UUID) -> Steps[bool]:
    """Mark one read, the first time counts; False where the recipient has none of this id.

    Statements `has_inbox_item` → `(count)`, `read_inbox_item`, params `recipient_id`, `id`.
    """
    return (yield from _change("read_inbox_item", recipient_id, item_id))


def archive_item(recipient_id: str, item_id: UUID) -> Steps[bool]:
    """Take one off the list, the same way: statement `archive_inbox_item`."""
    return (yield from _change("archive_inbox_item", recipient_id, item_id))


def read_all(recipient_id: str) -> Steps[None]:
    """Mark all read: statement `read_inbox`, param `recipient_id`."""
    yield Statement("read_inbox", {"recipient_id": recipient_id})


def _change(name: str, recipient_id: str, item_id: UUID) -> Steps[bool]:
    params: dict[str, Any] = {"recipient_id": recipient_id, "id": item_id}
    rows = yield Statement("has_inbox_item", params)
    if not rows[0][0]:
        return False
    yield Statement(name, params)
    return True


_HIGHEST: Final = UUID(int=2**128 - 1)
