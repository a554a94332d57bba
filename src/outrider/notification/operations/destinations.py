"""What limits and breakers count on, and a person's pauses. Source: spec/notification.md NT-26, §12."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from outrider.core.audit import write
from outrider.core.errors import NotificationNotFound
from outrider.core.steps import Steps
from outrider.core.text import clean_text
from outrider.notification.destination import DestinationRow, State
from outrider.notification.sender import Desk
from outrider.notification.store import destinations
from outrider.notification.store.rows import read_clock
from outrider.runtime.sessions import SessionPool

BATCH: Final = 200
REASON_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class DestinationView:
    """A destination; `key` is hexadecimal, `label` masked."""

    key: str
    channel: str
    label: str
    state: str
    failures: int
    strikes: int
    blocked_until: datetime | None
    last_success_at: datetime | None
    reason: str | None


class DestinationOperations:
    """Destinations of all channels. `actor` is who is named in the audit table."""

    def __init__(self, desk: Desk, sessions: SessionPool, actor: str) -> None:
        self._desk, self._sessions, self._actor = desk, sessions, actor

    async def search(self) -> list[DestinationView]:
        """The troubled first, at most 200."""
        return [_view(row) for row in await self._sessions.run(destinations.list_destinations(BATCH))]

    async def pause(self, key: str, reason: str = "") -> None:
        """Hold what goes there until a person resumes it; nothing ends. Raises NotificationNotFound."""
        found = _bytes(key)

        def pausing() -> Steps[None]:
            if not (yield from destinations.pause(found, clean_text(reason, REASON_MAX) or "paused")):
                raise NotificationNotFound("destination", key)
            yield from write(self._actor, "notify destinations pause", {"key": key}, 1, reason)

        await self._sessions.transact(pausing())

    async def resume(self, key: str, reason: str = "") -> int:
        """Open it to sends again, whatever closed it; gives how many records it held. Raises NotificationNotFound."""
        found = _bytes(key)
        row, freed = await self._sessions.transact(self._resumed(found, key, reason))
        self._desk.telling.turned(row)
        total = freed
        while freed == BATCH:
            now = await self._sessions.run(read_clock())
            freed = await self._sessions.transact(destinations.release(found, now, BATCH))
            total += freed
        return total

    def _resumed(self, found: bytes, key: str, reason: str) -> Steps[tuple[DestinationRow, int]]:
        row = yield from destinations.lock_one(found)
        if row is None:
            raise NotificationNotFound("destination", key)
        channel = self._desk.channels.get(row.channel)
        now = yield from read_clock()
        freed = yield from destinations.resume(found, channel.traits.rates if channel else (), now, BATCH)
        yield from write(self._actor, "notify destinations resume", {"key": key}, freed or 0, reason)
        return replace(row, state=State.CLOSED), freed or 0


def _bytes(key: str) -> bytes:
    try:
        return bytes.fromhex(key)
    except ValueError:
        raise NotificationNotFound("destination", key) from None


def _view(row: DestinationRow) -> DestinationView:
    return DestinationView(
        row.key.hex(), row.channel, row.label, str(row.state), row.failures, row.strikes, row.blocked_until,
        row.last_success_at, row.reason,
    )  # fmt: skip
