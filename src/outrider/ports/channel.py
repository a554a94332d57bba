"""A channel: one way to tell a person something.

Values are in `outrider.core.notification`: `traits` (ChannelTraits, SendPolicy, Rate, Form), `address` (Address,
AddressSettings, Destination, Problem), `content` (Content, Payload), `sending` (SendRequest, SendResult, Assurance) and
`codes` (Outcome, ErrorClass, Code). The notifier alone decides about retries, limits and ends. Source:
spec/notification.md §8.
"""

from typing import Protocol

from outrider.core.notification.address import Address, AddressSettings, Destination, Problem
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form


class Channel(Protocol):
    """One provider's way. Calls may overlap. No channel knows another, keeps state between calls that a retry would
    need, or writes to the database.
    """

    @property
    def name(self) -> str:
        """What rows and settings call it, `feishu_bot`; at most 32 characters."""
        ...

    @property
    def traits(self) -> ChannelTraits:
        """What it promises and allows; the same for its life."""
        ...

    def problems(self, settings: AddressSettings) -> list[Problem]:
        """Why these settings cannot be used, in the order of the form; empty if they can. Pure: nothing is resolved."""
        ...

    def destinations(self, address: Address) -> tuple[Destination, ...]:
        """What a send to this address takes a token of: the widest first, empty where nothing limits. Pure.

        Settings without `problems` give the same keys in every process and for as long as they stay as they are.
        """
        ...

    def render(self, content: Content, form: Form) -> Payload:
        """The content in one of `traits.forms`, escaped as the provider needs (NT-41), the link added after. Pure.

        The same content and form give the same payload. Raises PayloadTooLarge where it would exceed `traits.max_bytes`
        as it is sent, with room for what is added at send time.
        """
        ...

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """Make one call and say what it gave, before `deadline` (seconds of `Clock.boottime`).

        Never retries. Never raises on a refusal, a timeout or a broken answer: those are results (NT-17). Cancellation
        passes through. What it gave to the provider and got back is redacted in the result.
        """
        ...

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:
        """Ask the provider what became of the call with this key. None where it cannot tell.

        Asked only where `traits.looks_up`, of what is `unknown`. A success says that the person was told, a permanent
        failure that nobody was; anything else leaves it open.
        """
        ...
