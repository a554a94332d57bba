"""An app's bot: `im/v1/messages`, with our key as `uuid`. Source: reference/feishu.md §4.

Invariant: every call of one content carries the same `uuid`, so within its window the provider posts one message, whatever
became of the answers.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from outrider.channels.feishu.answers import APP_API, result_of
from outrider.channels.feishu.call import call
from outrider.channels.feishu.codes import TOKEN_CODES
from outrider.channels.feishu.config import ACCOUNT_HOSTS, OPEN_HOSTS, check_endpoint, receiver_problems
from outrider.channels.feishu.render import checked, message, sent_text
from outrider.channels.feishu.token import CLASSIC_PATH, Token, TokenSource
from outrider.core.canonical import canonical_json
from outrider.core.masking import mask_text
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem, destination_key
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.core.secret import Secret
from outrider.ports.clock import Clock
from outrider.ports.http import HttpAnswer, HttpClient, HttpRequest
from outrider.runtime.provider_results import refusal

NAME: Final = "feishu_app"
MESSAGES_PATH: Final = "/open-apis/im/v1/messages"
RECEIVER_RATES: Final = (Rate(4, timedelta(seconds=1)),)
ENVELOPE_ROOM: Final = 1_024
"""Bytes that receiver and key add, and the escapes of a content that is a string in JSON."""
TRAITS: Final = ChannelTraits(
    SendPolicy.AT_LEAST_ONCE,
    timeout=timedelta(seconds=5),
    keyed=True,
    dedupe_window=timedelta(hours=1),
    forms=(Form.CARD, Form.TEXT, Form.NEUTRAL),
    rates=(Rate(40, timedelta(seconds=1)), Rate(900, timedelta(minutes=1))),
    max_bytes=30_000,
)


@dataclass(frozen=True, slots=True)
class AppConfig:
    """The app, and where it calls. `token_url`: of either endpoint; None is the classic one beside `base_url`."""

    app_id: str
    app_secret: Secret
    base_url: str = "https://open.feishu.cn"
    token_url: str | None = None


class FeishuAppChannel:
    """`ports.channel.Channel` over an app. Raises ConfigurationError where its endpoints are not Feishu's own."""

    def __init__(self, client: HttpClient, clock: Clock, config: AppConfig, traits: ChannelTraits = TRAITS) -> None:
        self.name = NAME
        self.traits = traits
        self._client, self._clock, self._config = client, clock, config
        self._base = config.base_url.rstrip("/")
        token_url = config.token_url or self._base + CLASSIC_PATH
        check_endpoint("channels.feishu_app.base_url", self._base, client, OPEN_HOSTS)
        check_endpoint("channels.feishu_app.token_url", token_url, client, OPEN_HOSTS | ACCOUNT_HOSTS)
        self._tokens = TokenSource(client, clock, token_url, config.app_id, config.app_secret)

    def problems(self, settings: AddressSettings) -> list[Problem]:
        """The receiver."""
        return list(receiver_problems(settings))

    def destinations(self, address: Address) -> tuple[Destination, ...]:
        """The app, which all recipients share, then the receiver."""
        kind, receiver = _receiver(address)
        app = (self._base, self._config.app_id)
        app_label, label = f"app {mask_text(self._config.app_id)}", f"{kind} {mask_text(receiver)}"
        return (
            Destination(destination_key(NAME, *app), NAME, app_label, self.traits.rates, shared=True),
            Destination(destination_key(NAME, *app, kind, receiver), NAME, label, RECEIVER_RATES),
        )

    def render(self, content: Content, form: Form) -> Payload:
        """`{msg_type, content}`; the content becomes a JSON string at send time."""
        kind, made = message(content, form)
        body = {"msg_type": kind, "content": made}
        room = len(_as_string(body)) - len(canonical_json(body)) + ENVELOPE_ROOM
        return checked(form, body, sent_text(content, form), room, self.traits.max_bytes)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """One call; where the provider will not take the token, a second one with a new token, for nothing was done."""
        deadline = min(deadline, self._clock.boottime() + self.traits.timeout.total_seconds())
        if problems := self.problems(request.address.settings):
            message = f"{problems[0].field} {problems[0].message}"
            return refusal(Code.RECIPIENT_REFUSED, Outcome.PERMANENT_FAIL, message=message)
        token = await self._tokens.token(deadline)
        if isinstance(token, SendResult):
            return token
        result = await self._call(request, token, deadline)
        if result.provider_code not in _TOKEN_CODES:
            return result
        self._tokens.forget(token)
        token = await self._tokens.token(deadline)
        return token if isinstance(token, SendResult) else await self._call(request, token, deadline)

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: the provider finds no message by its `uuid`."""
        return None

    async def _call(self, request: SendRequest, token: Token, deadline: float) -> SendResult:
        kind, receiver = _receiver(request.address)
        body = {"receive_id": receiver, "uuid": request.provider_key} | dict(request.payload.body)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {token.secret.reveal()}",
        }
        url = f"{self._base}{MESSAGES_PATH}?receive_id_type={kind}"
        made = HttpRequest("POST", url, headers, _as_string(body))
        seconds, secrets = deadline - self._clock.boottime(), (self._config.app_secret, token.secret)
        return await call(self._client, made, seconds, self._judge, body=body, secrets=secrets)

    def _judge(self, answer: HttpAnswer) -> SendResult:
        return result_of(APP_API, answer, self._clock.now())


_TOKEN_CODES: Final = frozenset(map(str, TOKEN_CODES))


def _receiver(address: Address) -> tuple[str, str]:
    return address.settings.values["receive_id_type"], address.settings.values["receive_id"]


def _as_string(body: dict[str, Any]) -> bytes:
    """The body as it is sent: its content a JSON string."""
    return canonical_json(body | {"content": canonical_json(body["content"]).decode()})
