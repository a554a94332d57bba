"""A notifier on the memory store, with a clock that moves when it is told to and channels that answer as told."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from outrider.codecs.sealed import SealedSecrets
from outrider.core.identity import uuid7
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.request import NotificationRequest, Route
from outrider.core.secret import Secret
from outrider.core.steps import Steps
from outrider.notification.compose import Composer
from outrider.notification.notifier import Notifier
from outrider.notification.opening import sealed
from outrider.notification.policy import NotificationPolicy
from outrider.notification.record import Record
from outrider.notification.sender import Desk
from outrider.notification.store import people, rows
from outrider.notification.store.accepting import accept
from outrider.notification.store.rules import Announcement, Rules
from outrider.notification.telling import Telling
from outrider.notification.template import load_templates
from outrider.ports.channel import Channel
from outrider.ports.codec import SecretCodec
from outrider.runtime.sessions import Sessions
from outrider.storages.memory.database import MemoryDatabase
from outrider.storages.memory.storage import MemoryStorage
from outrider.testing.clock import ManualClock
from outrider.testing.events import EventSink

START = datetime(2026, 11, 20, 8, 7, tzinfo=UTC)
_ids = count(1)
_requests = count(1)


def new_id() -> UUID:
    """A UUIDv7, later than the one before."""
    number = next(_ids)
    return uuid7(1_790_000_000_000 + number, number.to_bytes(10))


def keys() -> SealedSecrets:
    """One key."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return SealedSecrets([Secret(f"k1:{key}")], secrets.token_bytes)


class Office:
    """One process's notifier and what surrounds it."""

    def __init__(
        self, channels: Mapping[str, Channel], clock: ManualClock, storage: MemoryStorage | None = None,
        envelopes: Mapping[str, str] | None = None, owner: str = "one", **settings: Any,  # noqa: ANN401
    ) -> None:  # fmt: skip
        self.clock, self.sink = clock, EventSink()
        self.codec: SecretCodec = keys()
        self.storage = storage or MemoryStorage("notification_", database=MemoryDatabase(clock.now))
        self.announced: list[Announcement] = []
        values = {"public_base_url": "https://app.example", "action_paths": ("/",), **settings}
        policy = NotificationPolicy(**values)
        composer = Composer(load_templates(), policy, tuple(channels), envelopes or {})
        traits = {name: channel.traits for name, channel in channels.items()}
        rules = Rules(policy, traits, self._announce, composer.content, new_id, lambda: 0.5)
        telling = Telling(self.sink, "notification")
        self.desk = Desk(rules, channels, composer, self.codec, clock, telling)
        self.notifier = Notifier("notification", owner, self.desk, self.sessions, self.sink)

    def sessions(self) -> Sessions:
        """A connection."""
        return Sessions(self.storage)

    async def run(self, steps: Steps[Any]) -> Any:  # noqa: ANN401 - the steps' own result
        """One transaction."""
        return await self.sessions().transact(steps)

    async def give_address(
        self, channel: str, recipient: str = "anna", settings: Mapping[str, str] | None = None, **secret: str
    ) -> None:
        """Let a recipient have an address there."""
        values, secrets_ = settings or {}, {name: Secret(value) for name, value in secret.items()}
        text = sealed(recipient, channel, secrets_, self.codec)
        place = self.desk.channels[channel].destinations(
            Address(recipient, channel, AddressSettings(values, secrets_))
        )[0]
        row = people.save_address(
            new_id(), recipient, channel, enabled=True, settings=values, secrets=text, destination_key=place.key
        )
        assert await self.run(row) is not None

    async def ask(self, *channels: str, recipient: str = "anna", **changes: Any) -> Record:  # noqa: ANN401
        """Accept a request for the first of `channels`; gives its record."""
        number = next(_requests)
        values: dict[str, Any] = {
            "request_id": UUID(int=(0x7000 << 64) | (1 << 127) | number), "recipient_id": recipient, "kind": "reminder",
            "requested_at": START, "subject_type": "task", "subject_id": str(number), "target_url": "/tasks/1",
            "summary_text": "Buy milk", "route": Route(always=(), first_of=channels),
        }  # fmt: skip
        (accepted,) = await self.run(accept(self.desk.rules, NotificationRequest(**(values | changes))))
        record: Record = accepted.record
        return record

    async def read(self, record: Record) -> Record:
        """The record as it stands."""
        found: Record = await self.run(rows.read(record.id))
        return found

    def later(self, span: timedelta) -> None:
        """Move the clock."""
        self.clock.advance(span)

    def _announce(self, told: Sequence[Announcement]) -> Steps[None]:
        self.announced.extend(told)
        yield from ()
