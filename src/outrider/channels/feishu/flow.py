"""The flow webhook of the service that this one replaces. Source: spec/notification.md NT-50, NT-51.

Invariant: the body's fields stand in one order, whatever a store did to the payload in between.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from outrider.channels.feishu.answers import FLOW_WEBHOOK, result_of
from outrider.channels.feishu.call import call, secrets_of
from outrider.channels.feishu.config import (
    FLOW_HOSTS,
    FLOW_PATH,
    LARK_FLOW_HOSTS,
    auth_problems,
    url_problems,
)
from outrider.channels.feishu.render import checked, escaped, sent_text
from outrider.core.canonical import instant
from outrider.core.masking import mask_url
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem, destination_key
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.ports.clock import Clock
from outrider.ports.http import HttpAnswer, HttpClient, HttpRequest
from outrider.runtime.provider_results import unusable

NAME: Final = "feishu_flow"
VERSION: Final = "1"
MESSAGE_FIELDS: Final = ("title", "summary", "action_text", "action_url")
FIELDS_ROOM: Final = 2_048
"""Bytes that ids, kind, times and names may add to the message."""
TRAITS: Final = ChannelTraits(
    SendPolicy.AT_LEAST_ONCE,
    timeout=timedelta(seconds=5),
    ambiguous_max=2,
    forms=(Form.TEXT, Form.NEUTRAL),
    rates=(Rate(4, timedelta(seconds=1)), Rate(90, timedelta(minutes=1))),
    max_bytes=20_000,
)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,14}")


@dataclass(frozen=True, slots=True)
class FlowConfig:
    """`event` names the flow's trigger; `lark` takes webhooks of Lark in place of Feishu's."""

    event: str = "smartflow.schedule_adjustment_ready"
    lark: bool = False


class FeishuFlowChannel:
    """`ports.channel.Channel` over a flow's webhook; success says that the flow was triggered."""

    def __init__(
        self, client: HttpClient, clock: Clock, config: FlowConfig | None = None, traits: ChannelTraits = TRAITS
    ) -> None:
        self.name = NAME
        self.traits = traits
        self._client, self._clock = client, clock
        self._config = config or FlowConfig()

    def problems(self, settings: AddressSettings) -> list[Problem]:
        """The URL, pinned to Feishu's hosts (or Lark's), and the bearer token."""
        hosts = LARK_FLOW_HOSTS if self._config.lark else FLOW_HOSTS
        return [
            *url_problems(settings, self._client, hosts, FLOW_PATH),
            *auth_problems(settings, "bearer", "bearer_token"),
        ]

    def destinations(self, address: Address) -> tuple[Destination, ...]:
        """The flow."""
        url = address.settings.secrets["webhook_url"].reveal()
        return (Destination(destination_key(NAME, url), NAME, mask_url(url), self.traits.rates),)

    def render(self, content: Content, form: Form) -> Payload:
        """`{message: {title, summary, action_text, action_url}}`; a neutral message has no title of anybody's."""
        text = sent_text(content, form)
        said = {
            "title": "" if form is Form.NEUTRAL else escaped(content.title),
            "summary": text,
            "action_text": content.action_text,
            "action_url": content.action_url or "",
        }
        return checked(form, {"message": said}, text, FIELDS_ROOM, self.traits.max_bytes)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """POST once."""
        settings = request.address.settings
        if problems := self.problems(settings):
            return unusable(problems)
        seconds = min(self.traits.timeout.total_seconds(), deadline - self._clock.boottime())
        body = flow_body(request, self._config.event, self._clock.now())
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if settings.auth_type == "bearer":
            headers["Authorization"] = f"Bearer {settings.secrets['bearer_token'].reveal()}"
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        made = HttpRequest("POST", settings.secrets["webhook_url"].reveal(), headers, data)
        return await call(self._client, made, seconds, self._judge, body=body, secrets=secrets_of(settings))

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: a flow answers no questions."""
        return None

    def _judge(self, answer: HttpAnswer) -> SendResult:
        return result_of(FLOW_WEBHOOK, answer, self._clock.now())


def flow_body(request: SendRequest, event: str, now: datetime) -> dict[str, Any]:
    """The original's fields, in its order; absent text is empty, what was a number there is one (NT-50)."""
    message = request.payload.body["message"]
    body: dict[str, Any] = {
        "event": event,
        "version": VERSION,
        "notification_id": str(request.notification_id) if request.notification_id is not None else 0,
        "user_id": _number(request.recipient_id),
        "preview_id": request.correlation_id or "",
        "trigger_id": request.causation_id or "",
        "trigger_type": request.kind,
        "target_type": request.subject_type or "",
        "target_id": _number(request.subject_id) if request.subject_id else 0,
        "message": {name: message[name] for name in MESSAGE_FIELDS},
    }
    if request.trace_id:
        body["trace_id"] = request.trace_id
    body["sent_at"] = instant(now)
    return body


def _number(text: str) -> int | str:
    """A number where existing flows expect one: up to 15 digits without a leading zero."""
    return int(text) if _NUMBER.fullmatch(text) else text
