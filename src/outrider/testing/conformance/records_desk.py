"""What the suite of record stores works with: one desk is one process with a connection of its own.

Times cannot be waited for on a real database's clock: `change` writes a row's state as an earlier moment would have left it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from outrider.core.identity import uuid7
from outrider.core.notification.address import Address, AddressState, Destination, destination_key
from outrider.core.notification.codes import CLASSES, Code, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.request import NotificationRequest, Route
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy
from outrider.core.steps import Steps
from outrider.notification.policy import NotificationPolicy
from outrider.notification.record import Record
from outrider.notification.store import people, rows
from outrider.notification.store.accepting import accept
from outrider.notification.store.beginning import Asked, BeginResult, Begun, begin
from outrider.notification.store.claiming import claim
from outrider.notification.store.finishing import Done, Finished, finish
from outrider.notification.store.placing import Accepted
from outrider.notification.store.rules import Announcement, Rules
from outrider.ports.storage import StorageSession
from outrider.testing.conformance.storage_harness import StorageHarness

T = TypeVar("T")

SECOND = timedelta(seconds=1)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
REQUESTED = datetime(2026, 11, 20, 8, 7, tzinfo=UTC)
BOT, INBOX = Route(always=(), first_of=("bot",)), Route(always=("inbox",))
FALL_BACK = Route(always=(), first_of=("bot", "mail"))
OK = SendResult(Outcome.SUCCESS, provider_message_id="m1")
DOWN = SendResult(Outcome.TEMPORARY_FAIL, CLASSES[Code.PROVIDER_5XX], Code.PROVIDER_5XX)
GONE = SendResult(Outcome.PERMANENT_FAIL, CLASSES[Code.DESTINATION_GONE], Code.DESTINATION_GONE)
REFUSED = SendResult(Outcome.PERMANENT_FAIL, CLASSES[Code.RECIPIENT_REFUSED], Code.RECIPIENT_REFUSED)
TRAITS: Mapping[str, ChannelTraits] = {
    "inbox": ChannelTraits(SendPolicy.EXACTLY_ONCE, SECOND, local=True, pushes=False),
    "bot": ChannelTraits(SendPolicy.AT_LEAST_ONCE, 5 * SECOND, keyed=True, dedupe_window=timedelta(hours=1)),
    "mail": ChannelTraits(SendPolicy.AT_MOST_ONCE, 5 * SECOND),
}
_ids = count(1)
_requests = count(1)


def new_id() -> UUID:
    """A UUIDv7, later than the one before."""
    number = next(_ids)
    return uuid7(1_790_000_000_000 + number, number.to_bytes(10))


def request(**changes: Any) -> NotificationRequest:  # noqa: ANN401  any of its fields
    """A request to anna by the bot alone; each has an id of its own and one subject."""
    made = NotificationRequest(
        UUID(int=(0x7000 << 64) | (1 << 127) | next(_requests)), "anna", "reminder", REQUESTED, subject_type="task",
        subject_id="1", target_url="/tasks/1", route=BOT,
    )  # fmt: skip
    return replace(made, **changes)


class Desk:
    """One process: its connection, its rules, the messages that it announced."""

    def __init__(
        self,
        session: StorageSession,
        name: str,
        traits: Mapping[str, ChannelTraits],
        **settings: Any,  # noqa: ANN401
    ) -> None:
        self.session, self.name = session, name
        self.announced: list[Announcement] = []
        self.rules = Rules(
            NotificationPolicy(**settings), traits, self._announce, _compose, new_id, lambda: 0.5
        )  # fmt: skip

    @classmethod
    async def open(
        cls,
        harness: StorageHarness,
        name: str = "one",
        traits: Mapping[str, ChannelTraits] = TRAITS,
        **settings: Any,  # noqa: ANN401
    ) -> "Desk":
        """Connect."""
        return cls(await harness.storage.connect(), name, traits, **settings)

    async def run(self, steps: Steps[T]) -> T:
        """One transaction."""
        return await self.session.transact(steps)

    async def close(self) -> None:
        """Close the connection."""
        await self.session.close()

    # -- what a notifier does

    async def accept(self, asked: NotificationRequest) -> list[Accepted]:
        """Accept a request."""
        return await self.run(accept(self.rules, asked))

    async def accept_one(self, asked: NotificationRequest) -> Record:
        """Accept one that gets one record, and give it."""
        (accepted,) = await self.accept(asked)
        return accepted.record

    async def claim(self, limit: int = 10) -> list[Record]:
        """Take what is due."""
        return await self.run(claim(self.rules, self.name, limit))

    async def begin(
        self, claimed: Record, destinations: Sequence[Destination] | None = None, seen: Address | None = None
    ) -> BeginResult:
        """Begin an attempt, with the address as it stands unless it was `seen` before."""
        address = seen or await self.address(claimed.recipient_id, claimed.channel)
        there = (destination_of(claimed.channel),) if destinations is None else destinations
        payload = Payload(Form.TEXT, {"text": claimed.target_url}, "text")
        return await self.run(begin(self.rules, Asked(claimed, address, there, payload, "title", None)))

    async def begun(self, claimed: Record) -> Begun:
        """The same where it must begin."""
        found = await self.begin(claimed)
        assert isinstance(found, Begun), found
        return found

    async def finish(
        self, begun: Begun, result: SendResult, destinations: Sequence[Destination] | None = None
    ) -> Finished:
        """Write what a call gave."""
        there = (destination_of(begun.record.channel),) if destinations is None else destinations
        one = begun.record
        found = await self.run(finish(self.rules, Done(one.id, one.epoch, one.attempt_no, result, there, 7)))
        assert found is not None
        return found

    async def send(self, result: SendResult = OK) -> Finished:
        """Take the one record that is due, and send it with this result."""
        (claimed,) = await self.claim()
        return await self.finish(await self.begun(claimed), result)

    async def address(self, recipient_id: str, channel: str) -> Address | None:
        """A recipient's address as a value."""
        row = await self.run(people.read_address(recipient_id, channel))
        if row is None:
            return None
        return Address(recipient_id, channel, enabled=row.enabled, state=AddressState(row.state), version=row.version)

    async def give_address(self, channel: str = "bot", recipient_id: str = "anna") -> None:
        """Let the recipient have an address there, or save it anew."""
        saved = people.save_address(
            new_id(), recipient_id, channel, enabled=True, settings={"auth_type": "none"}, secrets="sealed",
            destination_key=destination_of(channel).key,
        )  # fmt: skip
        assert await self.run(saved) is not None

    # -- what a test looks at, and changes

    async def read(self, record_id: UUID) -> Record:
        """A record as it stands."""
        found = await self.run(rows.read(record_id))
        assert found is not None
        return found

    async def change(self, record_id: UUID, **columns: Any) -> Record:  # noqa: ANN401  any column of its state
        """Write a record's state, as an earlier moment would have left it."""
        record = await self.read(record_id)
        return await self.run(rows.write(record, replace(record, **columns)))

    def _announce(self, told: Sequence[Announcement]) -> Steps[None]:
        self.announced.extend(told)
        yield from ()


def destination_of(channel: str, **changes: Any) -> Destination:  # noqa: ANN401  any of its fields
    """The one destination of a channel."""
    return replace(Destination(destination_key(channel, "there"), channel, "https://example.com/…"), **changes)


def _compose(record: Record) -> Content:
    return Content(
        record.id, record.recipient_id, record.kind, record.locale, record.requested_at, "title", "text", "neutral", "open",
        record.target_url,
    )  # fmt: skip
