"""Asking providers that can tell what became of a call of which nobody knows (T16).

Invariant: asking sends nothing; what a provider cannot tell stays unknown, for a person to resolve. Source:
spec/notification.md §8, T16.
"""

import asyncio
from typing import Literal
from uuid import UUID

from outrider.core.errors import SecretUnreadable, StateConflict, VersionMismatch
from outrider.core.notification.address import Address
from outrider.core.notification.codes import Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.text import clean_text
from outrider.notification.content_key import provider_key
from outrider.notification.opening import opened
from outrider.notification.record import Record
from outrider.notification.sender import Desk
from outrider.notification.states import Status
from outrider.notification.store.acting import Version, resolve
from outrider.notification.store.mending import read_unknown
from outrider.notification.store.people import read_address
from outrider.ports.channel import Channel
from outrider.runtime.sessions import Sessions

Known = Literal[Status.SENT, Status.DEAD]


def known_end(found: SendResult | None) -> Known | None:
    """What a provider's word makes of an unknown record; None where it stays unknown."""
    match found:
        case SendResult(outcome=Outcome.SUCCESS):
            return Status.SENT
        case SendResult(outcome=Outcome.PERMANENT_FAIL, maybe_done=False):
            return Status.DEAD
    return None


class Inquiry:
    """Asks about the unknown records of every channel that `looks_up`, as long as they may be reopened."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ask(self, sessions: Sessions) -> list[Record]:
        """Ask about each once; gives those that are resolved. Raises StorageUnavailable."""
        resolved: list[Record] = []
        for channel in self._desk.channels.values():
            if channel.traits.looks_up:
                resolved += await self._of_channel(channel, sessions)
        return resolved

    async def _of_channel(self, channel: Channel, sessions: Sessions) -> list[Record]:
        rules, resolved = self._desk.rules, list[Record]()
        behind: UUID | None = None
        while True:
            found = await sessions.run(read_unknown(rules, channel.name, rules.settings.batch, behind))
            for record in found:
                after = await self._about(record, channel, sessions)
                resolved += [] if after is None else [after]
            if len(found) < rules.settings.batch:
                return resolved
            behind = found[-1].id

    async def _about(self, record: Record, channel: Channel, sessions: Sessions) -> Record | None:
        address = await self._address(record, channel, sessions)
        if address is None or record.content_hash is None:
            return None
        key = provider_key(record.id, record.generation, record.content_hash)
        end = known_end(await self._told(channel, key, address))
        if end is None:
            return None
        seen = Version(record.generation, record.epoch)
        try:
            after = await sessions.transact(resolve(self._desk.rules, record.id, end, "the provider told it", seen))
        except (StateConflict, VersionMismatch):  # somebody was faster
            return None
        if after is not None:
            self._desk.telling.resolved(after, "lookup")
        return after

    async def _address(self, record: Record, channel: Channel, sessions: Sessions) -> Address | None:
        row = await sessions.run(read_address(record.recipient_id, record.channel))
        try:
            if row is not None:
                return opened(row, self._desk.codec)
        except SecretUnreadable:
            return None
        return None if channel.traits.pushes else Address(record.recipient_id, record.channel)

    async def _told(self, channel: Channel, key: str, address: Address) -> SendResult | None:
        try:
            async with asyncio.timeout(channel.traits.timeout.total_seconds()):
                return await channel.lookup(key, address)
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises, it told nothing
            self._desk.telling.failed("lookup", type(error).__name__, clean_text(error))
            return None
