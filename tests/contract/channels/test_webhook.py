"""Generic webhooks, over real HTTP: NT-46 and the table of spec §8."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from outrider.channels.http.client import GuardedClient
from outrider.channels.webhook.channel import WebhookChannel
from outrider.core.canonical import instant
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.sending import Assurance, SendResult
from outrider.core.notification.traits import Form
from outrider.core.secret import Secret
from outrider.runtime.system_clock import SystemClock
from outrider.testing.conformance.channel import ChannelConformance
from outrider.testing.conformance.channel_harness import (
    LINK,
    PROVIDER_KEY,
    REQUESTED_AT,
    ChannelCase,
    ChannelHarness,
    content,
    request,
)
from outrider.testing.receiver import Receiver, receiver

SIGN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SIGN = "whsec_" + "QUJD" * 10
TOKEN = "c4n4ry-bearer-token"
TEMPORARY, PERMANENT = Outcome.TEMPORARY_FAIL, Outcome.PERMANENT_FAIL
TABLE = [
    (200, Outcome.SUCCESS, None, None),
    (204, Outcome.SUCCESS, None, None),
    (301, TEMPORARY, Code.INVALID_URL, ErrorClass.CONFIGURATION),
    (308, TEMPORARY, Code.INVALID_URL, ErrorClass.CONFIGURATION),
    (400, PERMANENT, Code.PAYLOAD_INVALID, ErrorClass.PAYLOAD),
    (401, TEMPORARY, Code.PROVIDER_AUTH_FAILED, ErrorClass.CONFIGURATION),
    (403, TEMPORARY, Code.PROVIDER_AUTH_FAILED, ErrorClass.CONFIGURATION),
    (404, TEMPORARY, Code.INVALID_URL, ErrorClass.CONFIGURATION),
    (405, TEMPORARY, Code.INVALID_URL, ErrorClass.CONFIGURATION),
    (408, TEMPORARY, Code.PROVIDER_5XX, ErrorClass.UNAVAILABLE),
    (410, PERMANENT, Code.DESTINATION_GONE, ErrorClass.GONE),
    (413, PERMANENT, Code.PAYLOAD_INVALID, ErrorClass.PAYLOAD),
    (422, PERMANENT, Code.PAYLOAD_INVALID, ErrorClass.PAYLOAD),
    (425, TEMPORARY, Code.PROVIDER_5XX, ErrorClass.UNAVAILABLE),
    (429, TEMPORARY, Code.PROVIDER_RATE_LIMITED, ErrorClass.LIMITED),
    (500, TEMPORARY, Code.PROVIDER_5XX, ErrorClass.UNAVAILABLE),
    (503, TEMPORARY, Code.PROVIDER_5XX, ErrorClass.UNAVAILABLE),
]


def settings(**values: str) -> AddressSettings:
    names = {"webhook_url", "bearer_token", "sign_secret", "sign_secret_old", "apprise_url"}
    secrets = {name: Secret(value) for name, value in values.items() if name in names}
    return AddressSettings({name: value for name, value in values.items() if name not in names}, secrets)


class TestWebhook(ChannelConformance):
    @pytest.fixture
    async def server(self) -> AsyncIterator[Receiver]:
        async with receiver() as made:
            yield made

    @pytest.fixture
    def harness(self, server: Receiver) -> ChannelHarness:
        def told(status: int, outcome: Outcome, code: Code | None, error_class: ErrorClass | None) -> ChannelCase:
            async def arrange() -> None:
                server.status(status, "Location: http://127.0.0.1:1/\r\n", f"said {TOKEN} {SIGN}".encode())

            return ChannelCase(str(status), outcome, code, error_class, arrange=arrange)

        async def lost() -> None:
            server.answers.append(None)

        async def no_http() -> None:
            server.answers.append(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

        async def cut() -> None:
            server.answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nonly this")

        unknown = (Outcome.UNKNOWN,)
        secrets = settings(webhook_url=server.url, bearer_token=TOKEN, sign_secret=SIGN, auth_type="bearer")
        return ChannelHarness(
            WebhookChannel(GuardedClient(allow=[server.place]), SystemClock()),
            Address("user-1", "webhook", secrets),
            SystemClock(),
            cases=[
                *(told(*row) for row in TABLE),
                ChannelCase("lost", *unknown, Code.CONNECTION_LOST, ErrorClass.AMBIGUOUS, True, lost),
                ChannelCase("no http", *unknown, Code.ANSWER_UNREADABLE, ErrorClass.AMBIGUOUS, True, no_http),
                ChannelCase("a cut success", Outcome.SUCCESS, arrange=cut),
            ],
            unusable=[
                (settings(), "validation_failed"),
                (settings(webhook_url="  "), "validation_failed"),
                (settings(webhook_url="http://h.example/c4n4ry-path-0123"), "unsafe_url"),
                (settings(webhook_url="https://127.0.0.1/c4n4ry-path-0123"), "unsafe_url"),
                (settings(webhook_url="https://h.example/" + "x" * 2_048), "validation_failed"),
                (settings(webhook_url="https://h.example/x", auth_type="bearer"), "validation_failed"),
                (settings(webhook_url="https://h.example/x", auth_type="basic"), "validation_failed"),
                (settings(webhook_url="https://h.example/x", auth_type="sign"), "validation_failed"),
                (settings(webhook_url="https://h.example/x", bearer_token="a b"), "validation_failed"),
                (settings(webhook_url="https://h.example/x", sign_secret="c4n4ry"), "validation_failed"),
            ],
            secrets=["c4n4ry-path-0123", TOKEN, SIGN, SIGN.removeprefix("whsec_")],
            seen=lambda: len(server.received),
        )

    async def test_the_signature_verifies_with_the_standardwebhooks_package(
        self, harness: ChannelHarness, server: Receiver
    ) -> None:
        """NT-46: id, timestamp and signature as the specification's own library reads them."""
        assert (await self.send(harness)).assurance is Assurance.POSTED
        got = server.received[0]
        assert got.headers["webhook-id"] == f"msg_{PROVIDER_KEY}"
        assert Webhook(SIGN).verify(got.body, dict(got.headers)) == json.loads(got.body)
        assert got.headers["authorization"] == f"Bearer {TOKEN}"

    async def test_old_and_new_secret_verify_for_a_day(self, harness: ChannelHarness, server: Receiver) -> None:
        """NT-46: side by side for 24 hours after a rotation, then the new one alone."""
        ends = []
        for ago in (timedelta(hours=23), timedelta(hours=25)):
            rotated = instant(datetime.now(UTC) - ago)
            both = settings(webhook_url=server.url, sign_secret=SIGN, sign_secret_old=OLD_SIGN, sign_rotated_at=rotated)
            address = Address("user-1", "webhook", both)
            await self.send(ChannelHarness(harness.channel, address, harness.clock))
            headers, body = dict(server.received[-1].headers), server.received[-1].body
            Webhook(SIGN).verify(body, headers)
            ends.append(len(headers["webhook-signature"].split(" ")))
            if len(ends) == 1:
                Webhook(OLD_SIGN).verify(body, headers)
        assert ends == [2, 1]

    async def test_retries_send_equal_bytes_under_one_id(self, harness: ChannelHarness, server: Receiver) -> None:
        """NT-21, spec §8: body `{type, timestamp, data}`, the same over retries; another content has another id."""
        for _ in range(2):
            await self.send(harness)
        first, second = server.received
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        body = json.loads(first.body)
        assert (body["type"], body["timestamp"]) == ("important_urgent_task", instant(REQUESTED_AT))
        assert body["data"]["text"] == f"[Steward] 明天的会议改到三点\n{LINK}"
        assert body["data"]["action_url"] == LINK

    async def test_410_disables(self, harness: ChannelHarness, server: Receiver) -> None:
        """NT-17, spec §8: 410, or `webhook-delivery: disable` beside a refusal, is class gone."""
        server.status(410)
        server.status(500, "Webhook-Delivery: disable\r\n")
        for _ in range(2):
            result = await self.send(harness)
            assert (result.outcome, result.error_class) == (Outcome.PERMANENT_FAIL, ErrorClass.GONE)

    async def test_redirect_not_followed(self, harness: ChannelHarness, server: Receiver) -> None:
        """NT-43: a redirect is a wrong setting; nothing is asked at the place that it names."""
        async with receiver() as elsewhere:
            for status in (301, 302, 303, 307, 308):
                server.status(status, f"Location: {elsewhere.url}\r\n")
                result = await self.send(harness)
                assert (result.error_class, result.http_status) == (ErrorClass.CONFIGURATION, status)
            assert elsewhere.received == []

    async def test_retry_after_is_told(self, harness: ChannelHarness, server: Receiver) -> None:
        """NT-18: seconds, or a date read against the answer's own."""
        server.status(429, "Retry-After: 17\r\n")
        server.status(503, "Date: Fri, 20 Nov 2026 08:00:00 GMT\r\nRetry-After: Fri, 20 Nov 2026 08:01:00 GMT\r\n")
        assert [(await self.send(harness)).retry_after for _ in range(2)] == [
            timedelta(seconds=17),
            timedelta(minutes=1),
        ]

    async def test_an_address_that_turned_unsafe_is_not_called(self, harness: ChannelHarness, server: Receiver) -> None:
        """NT-43: checked on every send, not on saving alone."""
        channel = WebhookChannel(GuardedClient(), SystemClock())
        result: SendResult = await self.send(ChannelHarness(channel, harness.address, harness.clock))
        assert (result.code, result.maybe_done) == (Code.INVALID_URL, False)
        assert server.received == []

    async def test_a_body_of_a_row_is_bounded(self, harness: ChannelHarness) -> None:
        """NT-42: stored bodies have at most 4 KiB, whatever was sent."""
        payload = harness.channel.render(content("长" * 2_000), Form.TEXT)
        result = await harness.channel.send(request(harness, payload), harness.clock.boottime() + 5)
        assert result.request_json is not None
        assert len(result.request_json["body"]["cut"].encode()) <= 4_096
