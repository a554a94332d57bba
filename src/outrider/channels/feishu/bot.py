"""A custom bot's webhook. Source: reference/feishu.md §2.

Invariant: a signature is made anew for every call. There is no idempotency key: after a lost answer nobody can tell whether
the message was posted.
"""

from datetime import timedelta
from typing import Any, Final

from outrider.channels.feishu.answers import BOT_WEBHOOK, result_of
from outrider.channels.feishu.call import call, secrets_of
from outrider.channels.feishu.config import BOT_PATH, OPEN_HOSTS, auth_problems, url_problems
from outrider.channels.feishu.render import checked, message, sent_text
from outrider.core.canonical import canonical_json
from outrider.core.masking import mask_url
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem, destination_key
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.core.signing import feishu_sign
from outrider.ports.clock import Clock
from outrider.ports.http import HttpAnswer, HttpClient, HttpRequest
from outrider.runtime.provider_results import unusable

NAME: Final = "feishu_bot"
HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
SIGN_ROOM: Final = 128
"""Bytes that timestamp and sign add."""
TRAITS: Final = ChannelTraits(
    SendPolicy.AT_LEAST_ONCE,
    timeout=timedelta(seconds=5),
    ambiguous_max=2,
    forms=(Form.CARD, Form.TEXT, Form.NEUTRAL),
    rates=(Rate(4, timedelta(seconds=1)), Rate(90, timedelta(minutes=1))),
    max_bytes=20_000,
)


class FeishuBotChannel:
    """`ports.channel.Channel` over a bot of one group; `sign_secret` signs where it is set."""

    def __init__(self, client: HttpClient, clock: Clock, traits: ChannelTraits = TRAITS) -> None:
        self.name = NAME
        self.traits = traits
        self._client, self._clock = client, clock

    def problems(self, settings: AddressSettings) -> list[Problem]:
        """The URL, pinned to Feishu's hosts, and the secret."""
        return [
            *url_problems(settings, self._client, OPEN_HOSTS, BOT_PATH),
            *auth_problems(settings, "sign", "sign_secret"),
        ]

    def destinations(self, address: Address) -> tuple[Destination, ...]:
        """The bot."""
        url = address.settings.secrets["webhook_url"].reveal()
        return (Destination(destination_key(NAME, url), NAME, mask_url(url), self.traits.rates),)

    def render(self, content: Content, form: Form) -> Payload:
        """`{msg_type, card}` or `{msg_type, content}`."""
        kind, made = message(content, form)
        body = {"msg_type": kind, "card" if form is Form.CARD else "content": made}
        return checked(form, body, sent_text(content, form), SIGN_ROOM, self.traits.max_bytes)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """Sign and POST once."""
        settings = request.address.settings
        if problems := self.problems(settings):
            return unusable(problems)
        seconds = min(self.traits.timeout.total_seconds(), deadline - self._clock.boottime())
        body = canonical_json({**request.payload.body, **self._signature(settings)})
        made = HttpRequest("POST", settings.secrets["webhook_url"].reveal(), HEADERS, body)
        shown, secrets = request.payload.body, secrets_of(settings)
        return await call(self._client, made, seconds, self._judge, body=shown, secrets=secrets)

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: a bot reads nothing."""
        return None

    def _judge(self, answer: HttpAnswer) -> SendResult:
        return result_of(BOT_WEBHOOK, answer, self._clock.now())

    def _signature(self, settings: AddressSettings) -> dict[str, Any]:
        secret = settings.secrets.get("sign_secret")
        if not secret:
            return {}
        timestamp = int(self._clock.now().timestamp())
        return {"timestamp": str(timestamp), "sign": feishu_sign(secret, timestamp)}
