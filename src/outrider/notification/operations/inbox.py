"""The in-app list of each recipient. Source: spec/notification.md §12. All calls are idempotent by state."""

from uuid import UUID

from outrider.core.errors import NotificationNotFound
from outrider.core.pages import Page, page
from outrider.notification.operations.records import place
from outrider.notification.store import inbox
from outrider.notification.store.inbox import InboxItem
from outrider.runtime.sessions import SessionPool


class InboxOperations:
    """Items; a recipient reaches the recipient's own alone."""

    def __init__(self, sessions: SessionPool) -> None:
        self._sessions = sessions

    async def search(
        self, recipient_id: str, *, unread: bool = False, cursor: str | None = None, limit: int = 50
    ) -> Page[InboxItem]:
        """Items that are not archived, newest first, at most 200 a page. Raises OperationRefused for a foreign cursor."""
        steps = inbox.list_items(recipient_id, limit + 1, before=place(cursor), unread=unread)
        return page(await self._sessions.run(steps), limit, lambda last: str(last.id))

    async def count(self, recipient_id: str) -> int:
        """How many are unread."""
        return await self._sessions.run(inbox.count_unread(recipient_id))

    async def read(self, recipient_id: str, item_id: UUID) -> None:
        """Mark one read. Raises NotificationNotFound, also for another's."""
        if not await self._sessions.transact(inbox.read_item(recipient_id, item_id)):
            raise NotificationNotFound("item", item_id)

    async def read_all(self, recipient_id: str) -> None:
        """Mark all read."""
        await self._sessions.transact(inbox.read_all(recipient_id))

    async def archive(self, recipient_id: str, item_id: UUID) -> None:
        """Take one off the list. Raises NotificationNotFound, also for another's."""
        if not await self._sessions.transact(inbox.archive_item(recipient_id, item_id)):
            raise NotificationNotFound("item", item_id)
