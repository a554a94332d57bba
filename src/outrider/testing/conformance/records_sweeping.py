"""Record stores: what one sweep says it did. A subclass gives the fixture `harness`.

Source: spec/notification.md §1 (SweepResult), NT-13, NT-30.
"""

from collections.abc import Mapping
from datetime import timedelta

from outrider.codecs.plain_secrets import PlainSecrets
from outrider.core.notification.address import Address
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.request import Route
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy
from outrider.notification.compose import Composer
from outrider.notification.notifier import Notifier, SweepResult
from outrider.notification.record import Record
from outrider.notification.sender import Desk as Sending
from outrider.notification.store import people
from outrider.notification.telling import Telling
from outrider.notification.template import load_templates
from outrider.ports.channel import Channel
from outrider.runtime.sessions import Sessions
from outrider.testing.clock import ManualClock
from outrider.testing.conformance.records_desk import PAST, REQUESTED, Desk, new_id, request
from outrider.testing.conformance.storage_harness import StorageHarness
from outrider.testing.events import EventSink
from outrider.testing.mock_channel import MockChannel

ONCE = ChannelTraits(SendPolicy.AT_MOST_ONCE, timedelta(seconds=5))
ANSWERS: Mapping[str, tuple[Outcome, Code | None]] = {
    "fails": (Outcome.TEMPORARY_FAIL, Code.NETWORK_ERROR),
    "dies": (Outcome.PERMANENT_FAIL, Code.PAYLOAD_INVALID),
    "unclear": (Outcome.UNKNOWN, None),
}
"""What a provider says to a call for each recipient; the others are told."""


class Provider(MockChannel):
    """Answers by recipient, and has no words for one of them."""

    def render(self, content: Content, form: Form) -> Payload:
        """Raises for `breaks`."""
        if content.recipient_id == "breaks":
            raise RuntimeError("no words for it")
        return super().render(content, form)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """As `ANSWERS` has it."""
        if request.recipient_id in ANSWERS:
            self.answer(*ANSWERS[request.recipient_id])
        return await super().send(request, deadline)


class Sweeper:
    """A notifier that sweeps, over a desk's rules."""

    def __init__(self, desk: Desk, harness: StorageHarness) -> None:
        clock, sink = ManualClock(REQUESTED), EventSink()
        self._desk = desk
        self.channels: dict[str, Channel] = {"bot": Provider(clock, "bot", ONCE)}
        composer = Composer(load_templates(), desk.rules.settings, tuple(self.channels), {})
        sending = Sending(desk.rules, self.channels, composer, PlainSecrets(), clock, Telling(sink, "notification"))
        self.notifier = Notifier("notification", "sweeper", sending, lambda: Sessions(harness.storage), sink)

    async def give_address(self, recipient_id: str) -> None:
        """Let the recipient have an address at the provider."""
        (place,) = self.channels["bot"].destinations(Address(recipient_id, "bot"))
        saved = people.save_address(
            new_id(), recipient_id, "bot", enabled=True, settings={}, secrets=None, destination_key=place.key
        )
        assert await self._desk.run(saved) is not None

    async def ask(self, recipient_id: str, *, address: bool = True) -> Record:
        """Accept a request for a recipient, with an address or without."""
        if address:
            await self.give_address(recipient_id)
        return await self._desk.accept_one(request(recipient_id=recipient_id, route=Route((), ("bot",))))


class SweepSuite:
    """What a sweep did, counted."""

    async def test_sweep_totals(self, harness: StorageHarness) -> None:
        """Each end and each error is counted once, and one record's error never stops the rest."""
        desk = await Desk.open(
            harness, traits={"bot": ONCE}, public_base_url="https://app.example", action_paths=("/",)
        )
        sweeper = Sweeper(desk, harness)
        await sweeper.ask("returns", address=False)
        assert await sweeper.notifier.sweep() == SweepResult(scanned=1, skipped=1)
        await sweeper.give_address("returns")
        again = await sweeper.ask("again")
        await desk.change(again.id, attempt_no=1, attempt_count=1, status="failed")
        lost = await sweeper.ask("lost")
        (claimed,) = [one for one in await desk.claim() if one.id == lost.id]
        await desk.begun(claimed)
        await desk.change(lost.id, lease_until=PAST)
        await desk.change(again.id, lease_owner=None, lease_until=None)
        for recipient_id in ("breaks", *ANSWERS, "is told"):
            await sweeper.ask(recipient_id)
        await sweeper.ask("nowhere", address=False)
        assert await sweeper.notifier.sweep() == SweepResult(
            scanned=8, retried=1, sent=3, failed=1, dead=1, skipped=1, unknown=1, errors=1,
            first_error="RuntimeError: no words for it", recovered=1, reopened=1,
        )  # fmt: skip
        assert await sweeper.notifier.sweep(0) == SweepResult()
        await desk.close()
