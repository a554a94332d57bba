"""Console, inbox and the mock pass the suite of channels."""

import io
from collections.abc import Callable
from datetime import timedelta

import pytest

from outrider.channels.console.channel import ConsoleChannel
from outrider.channels.inbox.channel import InboxChannel
from outrider.core.notification.address import Address
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.traits import Form, SendPolicy
from outrider.runtime.system_clock import SystemClock
from outrider.testing import MockChannel
from outrider.testing.conformance.channel import ChannelConformance
from outrider.testing.conformance.channel_harness import LINK, ChannelCase, ChannelHarness, content, request

SUCCESS = ChannelCase("success", Outcome.SUCCESS)


class TestConsole(ChannelConformance):
    @pytest.fixture
    def stream(self) -> io.StringIO:
        return io.StringIO()

    @pytest.fixture
    def harness(self, stream: io.StringIO) -> ChannelHarness:
        return ChannelHarness(ConsoleChannel(stream), Address("user-1", "console"), SystemClock(), cases=[SUCCESS])

    @pytest.mark.parametrize("hostile", ["\x1b[31mred\x1b[0m", "\x9b2Jgone", "a\x1b]0;title\x07b", "x\ry\x08"])
    async def test_escape_sequences_are_stripped(
        self, harness: ChannelHarness, stream: io.StringIO, hostile: str
    ) -> None:
        """NT-41: no text moves a cursor or colours a terminal; title, text and link stand on lines of their own."""
        payload = harness.channel.render(content(hostile, hostile), Form.TEXT)
        result = await harness.channel.send(request(harness, payload), harness.clock.boottime() + 5)
        assert result.outcome is Outcome.SUCCESS
        written = stream.getvalue()
        assert not [character for character in written if character < " " and character != "\n"]
        assert "\x9b" not in written
        assert written.endswith(f"\n{LINK}\n\n")

    async def test_a_stream_that_is_closed_was_told_nothing(self, harness: ChannelHarness, stream: io.StringIO) -> None:
        """NT-17: nothing was written, so it may be tried again."""
        stream.close()
        result = await self.send(harness)
        assert (result.outcome, result.code, result.maybe_done) == (Outcome.TEMPORARY_FAIL, Code.NETWORK_ERROR, False)

    async def test_a_flush_that_fails_is_unknown(self) -> None:
        """NT-17: something was written, and nobody knows what of it arrived."""

        class Broken(io.StringIO):
            def flush(self) -> None:
                raise BrokenPipeError

        harness = ChannelHarness(ConsoleChannel(Broken()), Address("user-1", "console"), SystemClock())
        result = await self.send(harness)
        assert (result.outcome, result.code, result.maybe_done) == (Outcome.UNKNOWN, Code.CONNECTION_LOST, True)


class TestInbox(ChannelConformance):
    @pytest.fixture
    def harness(self) -> ChannelHarness:
        return ChannelHarness(InboxChannel(), Address("user-1", "inbox"), SystemClock())

    def test_it_is_written_by_the_store_and_kept_raw(self, harness: ChannelHarness) -> None:
        """NT-41, spec §8: exactly once, local, the default; pages escape what it keeps."""
        traits = harness.channel.traits
        assert (traits.local, traits.pushes, traits.policy) == (True, False, SendPolicy.EXACTLY_ONCE)
        item = harness.channel.render(content("<b>raw</b>"), Form.TEXT).body
        assert item == {"title": "[Steward] 日程", "body": "[Steward] <b>raw</b>", "action_url": LINK}


class TestMock(ChannelConformance):
    @pytest.fixture
    def mock(self) -> MockChannel:
        return MockChannel(SystemClock())

    @pytest.fixture
    def harness(self, mock: MockChannel) -> ChannelHarness:
        def told(outcome: Outcome, code: Code) -> Callable[[], object]:
            return lambda: mock.answer(outcome, code)

        def case(
            name: str, outcome: Outcome, code: Code, error_class: ErrorClass, *, maybe_done: bool = False
        ) -> ChannelCase:
            async def arrange() -> None:
                told(outcome, code)()

            return ChannelCase(name, outcome, code, error_class, maybe_done, arrange)

        return ChannelHarness(
            mock,
            Address("user-1", "mock"),
            SystemClock(),
            cases=[
                SUCCESS,
                case("limited", Outcome.TEMPORARY_FAIL, Code.PROVIDER_RATE_LIMITED, ErrorClass.LIMITED),
                case("gone", Outcome.PERMANENT_FAIL, Code.DESTINATION_GONE, ErrorClass.GONE),
                case("lost", Outcome.UNKNOWN, Code.CONNECTION_LOST, ErrorClass.AMBIGUOUS, maybe_done=True),
            ],
        )

    async def test_it_answers_in_the_order_it_was_told_and_records_its_calls(
        self, mock: MockChannel, harness: ChannelHarness
    ) -> None:
        """Spec §1: outcome, code and delay per call in a FIFO, success by default, calls recorded."""
        mock.answer(Outcome.TEMPORARY_FAIL, delay=timedelta(milliseconds=1))
        mock.answer(Outcome.UNKNOWN)
        got = [(await self.send(harness)).outcome for _ in range(3)]
        assert got == [Outcome.TEMPORARY_FAIL, Outcome.UNKNOWN, Outcome.SUCCESS]
        assert [call.message_text.split("\n")[-1] for call in mock.calls] == [LINK] * 3
