"""Renders the item that the record store writes beside `sent`, in one transaction.

Invariant: an item is kept raw; the pages that show it escape it. Source: spec/notification.md §8, NT-41.
"""

from datetime import timedelta
from typing import Final

from outrider.core.action_link import with_link
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem
from outrider.core.notification.codes import CLASSES, Code, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy

NAME: Final = "inbox"
TRAITS: Final = ChannelTraits(
    SendPolicy.EXACTLY_ONCE, timeout=timedelta(seconds=5), keyed=True, forms=(Form.TEXT,), local=True, pushes=False
)


class InboxChannel:
    """`ports.channel.Channel` without a provider; nobody needs an address for it."""

    def __init__(self, traits: ChannelTraits = TRAITS) -> None:
        self.name = NAME
        self.traits = traits

    def problems(self, settings: AddressSettings) -> list[Problem]:  # noqa: ARG002  it needs none
        """None: there is nothing to set."""
        return []

    def destinations(self, address: Address) -> tuple[Destination, ...]:  # noqa: ARG002  it is the database
        """None: nothing but the database limits it."""
        return ()

    def render(self, content: Content, form: Form) -> Payload:
        """The columns of `notification_inbox_item` that come from the content: title, body, action_url."""
        item = {"title": content.title, "body": content.text, "action_url": content.action_url}
        return Payload(form, item, with_link(content.text, content.action_url))

    async def send(self, request: SendRequest, deadline: float) -> SendResult:  # noqa: ARG002
        """Nothing: a test of the inbox has no provider to call, and records never come here."""
        message = "the record store writes the inbox; there is nothing to call"
        return SendResult(Outcome.SKIPPED, CLASSES[Code.CHANNEL_DISABLED], Code.CHANNEL_DISABLED, message=message)

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: the record itself says whether the item is there."""
        return None
