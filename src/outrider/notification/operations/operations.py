"""All of it under one name. Source: spec/notification.md §12, §13."""

from typing import Final
from uuid import UUID

from outrider.core.notification.totals import Totals
from outrider.notification.operations.asking import AskOperations
from outrider.notification.operations.channels import ChannelOperations
from outrider.notification.operations.destinations import DestinationOperations
from outrider.notification.operations.inbox import InboxOperations
from outrider.notification.operations.preferences import PreferenceOperations
from outrider.notification.operations.records import RecordOperations
from outrider.notification.sender import Desk
from outrider.notification.store.digests import flush
from outrider.notification.store.totals import read_totals
from outrider.ports.http import HttpClient
from outrider.runtime.sessions import SessionPool

DIGESTS: Final = 50
"""Digests that are flushed in one transaction."""


class NotificationOperations:
    """Everything that may be looked at or changed of notifications; cheap to make, one for whoever acts.

    `actor` is who is named in the audit table. `sessions` are the caller's to close. All calls raise StorageUnavailable.
    """

    def __init__(self, desk: Desk, sessions: SessionPool, actor: str, client: HttpClient | None = None) -> None:
        self._sessions = sessions
        self.actor = actor
        self.records = RecordOperations(desk, sessions, actor)
        self.asking = AskOperations(desk, sessions, actor)
        self.channels = ChannelOperations(desk, sessions, actor, client)
        self.preferences = PreferenceOperations(desk, sessions)
        self.inbox = InboxOperations(sessions)
        self.destinations = DestinationOperations(desk, sessions, actor)

    async def stats(self) -> Totals:
        """Records by channel, state and hold; destinations by channel and state."""
        return await self._sessions.run(read_totals())

    async def flush_digests(
        self,
        *,
        channel: str | None = None,
        recipient_id: str | None = None,
        kind: str | None = None,
        dry_run: bool = False,
    ) -> int:
        """Let open digests go now, all or those that match; gives how many records they held, and in a dry run hold."""
        wanted = {"channel": channel, "recipient_id": recipient_id, "kind": kind}
        moved, behind = 0, None
        while True:
            found: tuple[int, UUID | None] = await self._sessions.transact(
                flush(wanted, behind, DIGESTS, dry_run=dry_run)
            )
            moved, behind = moved + found[0], found[1]
            if behind is None:
                return moved
