"""A channel without a provider, for tests of what drives channels."""

from collections import deque
from datetime import timedelta
from typing import Final

from outrider.core.action_link import with_link
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem, destination_key
from outrider.core.notification.codes import CLASSES, Code, ErrorClass, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import Assurance, SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy
from outrider.ports.clock import Clock

TRAITS: Final = ChannelTraits(SendPolicy.AT_LEAST_ONCE, timeout=timedelta(seconds=5), forms=tuple(Form))
_NO_DELAY: Final = timedelta(0)


class MockChannel:
    """`ports.channel.Channel` that answers as it was told, in the order in which it was told, and else with success.

    `calls` are the requests that it was given. `lookups` answers `lookup` by provider key, asked where the traits say so.
    """

    def __init__(self, clock: Clock, name: str = "mock", traits: ChannelTraits = TRAITS) -> None:
        self.name = name
        self.traits = traits
        self.calls: list[SendRequest] = []
        self.lookups: dict[str, SendResult] = {}
        self._clock = clock
        self._answers: deque[tuple[SendResult, timedelta]] = deque()

    def answer(self, outcome: Outcome, code: Code | None = None, delay: timedelta = _NO_DELAY) -> None:
        """Answer one more call with this outcome and code, in the class that the code has, after `delay`."""
        unknown = outcome is Outcome.UNKNOWN
        if code is None and outcome is not Outcome.SUCCESS:
            code = Code.CONNECTION_LOST if unknown else Code.PROVIDER_5XX
        error_class = None if code is None else CLASSES.get(code)
        self.answer_with(
            SendResult(outcome, ErrorClass.AMBIGUOUS if unknown else error_class, code, maybe_done=unknown), delay
        )

    def answer_with(self, result: SendResult, delay: timedelta = _NO_DELAY) -> None:
        """Answer one more call with exactly this."""
        self._answers.append((result, delay))

    def problems(self, settings: AddressSettings) -> list[Problem]:  # noqa: ARG002  whatever it is
        """None: every address will do."""
        return []

    def destinations(self, address: Address) -> tuple[Destination, ...]:
        """One a recipient."""
        key = destination_key(self.name, address.recipient_id)
        return (Destination(key, self.name, f"{self.name}:{address.recipient_id}", self.traits.rates),)

    def render(self, content: Content, form: Form) -> Payload:
        """Title and text."""
        text = with_link(content.neutral if form is Form.NEUTRAL else content.text, content.action_url)
        title = {} if form is Form.NEUTRAL else {"title": content.title}
        return Payload(form, {"form": str(form), "text": text, **title}, text)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:  # noqa: ARG002  it is told how long to take
        """Record the call, wait as told, answer as told."""
        self.calls.append(request)
        success = SendResult(Outcome.SUCCESS, provider_message_id=f"mock-{len(self.calls)}", assurance=Assurance.POSTED)
        result, delay = self._answers.popleft() if self._answers else (success, _NO_DELAY)
        if delay:
            await self._clock.sleep(delay.total_seconds())
        return result

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """What `lookups` says of the key."""
        return self.lookups.get(provider_key)
