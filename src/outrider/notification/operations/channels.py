"""A recipient's settings on each channel. Source: spec/notification.md §12, NT-43 to NT-45, NT-27.

Invariant: what is wrong is refused whole, and what is secret is written and never read back but masked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from json import loads
from typing import Any, Final

from outrider.core.audit import write
from outrider.core.errors import (
    InvariantViolated,
    NotificationNotFound,
    SecretUnreadable,
    SettingsRefused,
    VersionMismatch,
)
from outrider.core.masking import mask_url
from outrider.core.notification.address import NO_AUTH, Address, AddressSettings, AddressState, destination_key
from outrider.core.notification.codes import Code
from outrider.core.steps import Steps
from outrider.notification.destination import DestinationRow, State
from outrider.notification.opening import opened, sealed
from outrider.notification.operations.forms import form_of, settings_of
from outrider.notification.operations.trying import Tried, try_address
from outrider.notification.sender import Desk
from outrider.notification.store import people
from outrider.notification.store.destinations import lock_one, release, resume
from outrider.notification.store.people import AddressRow
from outrider.notification.store.rows import read_clock
from outrider.ports.channel import Channel
from outrider.ports.http import HttpClient
from outrider.runtime.sessions import SessionPool

BATCH: Final = 200
SAVE_TRIES: Final = 3
CHANGED: Final = "the settings changed since they were read"


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A recipient's settings on one channel, masked. `values` are those that are no secret; version 0: nothing is set."""

    channel: str
    enabled: bool = False
    configured: bool = False
    webhook_url_mask: str | None = None
    auth_type: str = NO_AUTH
    has_bearer_token: bool = False
    has_sign_secret: bool = False
    state: str = AddressState.OK
    reason: str | None = None
    last_test_status: str | None = None
    last_test_error: str | None = None
    last_test_at: datetime | None = None
    values: Mapping[str, str] | None = None
    version: int = 0


class ChannelOperations:
    """Addresses. `client` checks a URL that is saved; None where no channel calls one."""

    def __init__(self, desk: Desk, sessions: SessionPool, actor: str, client: HttpClient | None) -> None:
        self._desk, self._sessions, self._actor, self._client = desk, sessions, actor, client

    async def search(self, recipient_id: str) -> list[ChannelView]:
        """Every channel that pushes, by name, set or not."""
        stored = await self._sessions.run(people.read_addresses(recipient_id))
        names = {name for name, channel in self._desk.channels.items() if channel.traits.pushes}
        return [self._view(name, stored.get(name)) for name in sorted(names | stored.keys())]

    async def get(self, recipient_id: str, channel: str) -> ChannelView:
        """One of them. Raises NotificationNotFound for a channel that takes no settings here."""
        self._pushing(channel)
        return self._view(channel, await self._sessions.run(people.read_address(recipient_id, channel)))

    async def put(
        self,
        recipient_id: str,
        channel: str,
        said: Mapping[str, Any],
        *,
        seen: int | None = None,
        dry_run: bool = False,
    ) -> ChannelView:
        """Save settings; an address that was switched off works again, and so does its own destination.

        `said`: `enabled` (true), `auth_type` and what the channel takes; a secret left out is kept, null clears it. A
        `dry_run` judges and saves nothing, and gives the view as it stands. Raises SettingsRefused, VersionMismatch where
        the version is not `seen`, NotificationNotFound.
        """
        there = self._pushing(channel)
        for tries in range(SAVE_TRIES, 0, -1):
            try:
                return await self._put(there, recipient_id, said, seen, dry_run=dry_run)
            except VersionMismatch:
                if seen is not None or tries == 1:
                    raise  # else somebody saved in between: what is kept is read anew
        raise InvariantViolated("the last try returns or raises")

    async def _put(
        self, there: Channel, recipient_id: str, said: Mapping[str, Any], seen: int | None, *, dry_run: bool
    ) -> ChannelView:
        channel, new_id = there.name, self._desk.rules.new_id()
        row = await self._sessions.run(people.read_address(recipient_id, channel))
        known = row.version if row else 0
        if seen is not None and seen != known:
            raise VersionMismatch(CHANGED)
        settings, enabled = settings_of(channel, said, self._kept(row), self._desk.clock.now())
        await self._judge(there, settings)
        if dry_run:
            return self._view(channel, row)
        places = there.destinations(Address(recipient_id, channel, settings))
        key = places[0].key if places else destination_key(channel, recipient_id)

        def saving() -> Steps[AddressRow]:
            text = sealed(recipient_id, channel, settings.secrets, self._desk.codec)
            saved = yield from people.save_address(
                new_id, recipient_id, channel, enabled=enabled, settings=settings.values, secrets=text,
                destination_key=key, known_version=known or None,
            )  # fmt: skip
            if saved is None or saved.version != known + 1 or (known == 0 and saved.id != new_id):
                raise VersionMismatch(CHANGED)
            yield from self._audit("set", recipient_id, channel, ",".join(sorted(said)))
            return saved

        saved = await self._sessions.transact(saving())
        if not any(place.shared for place in places):
            await self._switch_on(key, there)
        return self._view(channel, saved)

    async def delete(self, recipient_id: str, channel: str) -> bool:
        """Take the settings away; False where there were none. Raises NotificationNotFound."""
        self._pushing(channel)

        def deleting() -> Steps[bool]:
            found = yield from people.read_address(recipient_id, channel)
            if found is not None:
                yield from people.delete_address(recipient_id, channel)
                yield from self._audit("rm", recipient_id, channel, "")
            return found is not None

        return await self._sessions.transact(deleting())

    async def test(self, recipient_id: str, channel: str) -> Tried:
        """Send a fixed text now, of which no record is kept but how it went; a success switches everything on again.

        Raises NotificationNotFound.
        """
        there = self._pushing(channel)
        row = await self._sessions.run(people.read_address(recipient_id, channel))
        preference, _ = await self._sessions.run(people.read_preference(recipient_id))
        tried = await try_address(self._desk, there, row, recipient_id, preference.locale if preference else None)
        if row is not None and not tried.skipped:
            await self._sessions.transact(_noted(row, tried))
            if tried.status == "success":
                await self._switch_on(row.destination_key, there)
        return tried

    def _kept(self, row: AddressRow | None) -> AddressSettings | None:
        """What is stored; secrets that no key of ours opens are gone, and must be set anew."""
        if row is None:
            return None
        try:
            return opened(row, self._desk.codec).settings
        except SecretUnreadable:
            return AddressSettings(row.settings)

    async def _judge(self, channel: Channel, settings: AddressSettings) -> None:
        problems = [(one.field, str(one.code), one.message) for one in channel.problems(settings)]
        url = settings.secrets.get("webhook_url")
        if not problems and url and self._client is not None and (reason := await self._client.check(url.reveal())):
            problems = [("webhook_url", "unsafe_url", reason)]
        if problems:
            raise SettingsRefused(problems)

    async def _switch_on(self, key: bytes, channel: Channel) -> None:
        """Open a destination that its answers closed; one that a person paused stays so (NT-24, NT-27)."""
        row, opened_now = await self._sessions.transact(_reopened(key, channel))
        if row is not None:
            self._desk.telling.turned(row)
        while opened_now == BATCH:
            now = await self._sessions.run(read_clock())
            opened_now = await self._sessions.transact(release(key, now, BATCH))

    def _pushing(self, channel: str) -> Channel:
        found = self._desk.channels.get(channel)
        if found is None or not found.traits.pushes:
            raise NotificationNotFound("channel", channel)
        return found

    def _audit(self, verb: str, recipient_id: str, channel: str, fields: str) -> Steps[None]:
        said = {"recipient": recipient_id, "channel": channel, "fields": fields}
        yield from write(self._actor, f"notify channels {verb}", said, 1, "")

    def _view(self, channel: str, row: AddressRow | None) -> ChannelView:
        if row is None:
            return ChannelView(channel)
        names = loads(row.secrets) if row.secrets else {}
        reason, mask = row.reason, None
        try:
            secrets = opened(row, self._desk.codec).settings.secrets
            url = secrets.get("webhook_url") or secrets.get("apprise_url")
            mask = mask_url(url.reveal()) if url else None
        except SecretUnreadable:
            reason = Code.SECRET_UNREADABLE
        shown = {name: row.settings[name] for name in form_of(channel).values if name in row.settings}
        auth_type = shown.pop("auth_type", NO_AUTH)
        return ChannelView(
            channel, row.enabled, True, mask, auth_type, "bearer_token" in names, "sign_secret" in names, row.state, reason,
            row.last_test_status, row.last_test_error, row.last_test_at, shown, row.version,
        )  # fmt: skip


def _noted(row: AddressRow, tried: Tried) -> Steps[None]:
    succeeded = tried.status == "success"
    yield from people.note_test(row.recipient_id, row.channel, tried.status, None if succeeded else tried.message)
    if succeeded and row.state != AddressState.OK:
        yield from people.mark_address(row.recipient_id, row.channel, AddressState.OK, None)


def _reopened(key: bytes, channel: Channel) -> Steps[tuple[DestinationRow | None, int]]:
    """The destination where this opened it, and how many records it held."""
    row = yield from lock_one(key)
    if row is None or row.state in {State.CLOSED, State.PAUSED}:
        return None, 0
    now = yield from read_clock()
    freed = yield from resume(key, channel.traits.rates, now, BATCH)
    return replace(row, state=State.CLOSED), freed or 0
