"""Apprise, over real HTTP to a receiver of this machine: spec §8."""

from collections.abc import AsyncIterator

import pytest

from outrider.channels.apprise.channel import SCHEMES, AppriseChannel
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.sending import Assurance
from outrider.core.secret import Secret
from outrider.runtime.system_clock import SystemClock
from outrider.testing.conformance.channel import ChannelConformance
from outrider.testing.conformance.channel_harness import LINK, ChannelCase, ChannelHarness
from outrider.testing.receiver import Receiver, receiver

pytestmark = [
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),  # one of its plugins asks for it
    pytest.mark.timeout(60),  # the first of them loads all of its plugins
]
TOKEN = "c4n4ryPathToken"


def settings(url: str) -> AddressSettings:
    return AddressSettings(secrets={"apprise_url": Secret(url)})


class TestApprise(ChannelConformance):
    @pytest.fixture
    async def server(self) -> AsyncIterator[Receiver]:
        async with receiver() as made:
            yield made

    @pytest.fixture
    def harness(self, server: Receiver) -> ChannelHarness:
        async def refused() -> None:
            server.status(500)

        async def lost() -> None:
            server.answers.append(None)

        unknown = (Outcome.UNKNOWN, Code.ANSWER_UNREADABLE, ErrorClass.AMBIGUOUS, True)
        return ChannelHarness(
            AppriseChannel(SystemClock(), schemes={"json", "tgram"}),
            Address("operator-1", "apprise", settings(f"json://{server.place}/{TOKEN}?rto=2&cto=2")),
            SystemClock(),
            cases=[
                ChannelCase("success", Outcome.SUCCESS),
                ChannelCase("refused", *unknown, refused),
                ChannelCase("lost", *unknown, lost),
            ],
            unusable=[
                (AddressSettings(), "validation_failed"),
                (settings("  "), "validation_failed"),
                (settings(f"exec://{TOKEN}"), "unsafe_url"),
                (settings(f"xml://127.0.0.1/{TOKEN}"), "unsafe_url"),
                (settings(f"file:///etc/{TOKEN}"), "unsafe_url"),
                (settings(f"tgram://{TOKEN}"), "validation_failed"),
            ],
            secrets=[TOKEN],
            seen=lambda: len(server.received),
        )

    async def test_apprise_false_is_unknown(self, harness: ChannelHarness, server: Receiver) -> None:
        """Spec §8, NT-19: it says no and not why, so nobody knows; a yes is accepted, never posted."""
        server.status(500)
        result = await self.send(harness)
        assert (result.outcome, result.maybe_done) == (Outcome.UNKNOWN, True)
        assert harness.channel.traits.ambiguous_max == 1
        assert (await self.send(harness)).assurance is Assurance.ACCEPTED
        assert (
            LINK.encode().replace(b"/", b"\\/") in server.received[-1].body or LINK.encode() in server.received[-1].body
        )

    def test_what_calls_any_host_in_the_clear_is_not_among_the_defaults(self) -> None:
        """NT-43: its sockets escape the guard, so schemes are allow-listed."""
        assert not SCHEMES & {"json", "jsons", "xml", "xmls", "form", "forms", "file", "exec", "syslog", "dbus", "ntfy"}
        refused = AppriseChannel(SystemClock()).problems(settings("jsons://127.0.0.1/x"))
        assert [problem.code for problem in refused] == ["unsafe_url"]
