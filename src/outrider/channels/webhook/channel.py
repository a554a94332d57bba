"""One POST to the URL that a recipient set. Source: spec/notification.md §8, NT-46."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from outrider.channels.webhook.answers import result_of
from outrider.channels.webhook.config import hidden_of, problems, signing_secrets
from outrider.core.action_link import with_link
from outrider.core.canonical import canonical_json, instant
from outrider.core.errors import PayloadTooLarge
from outrider.core.masking import mask_url
from outrider.core.notification.address import Address, AddressSettings, Destination, Problem, destination_key
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.core.signing import webhook_signature
from outrider.ports.clock import Clock
from outrider.ports.http import HttpClient, HttpFailure, HttpRequest
from outrider.runtime.provider_results import shown_answer, shown_request, too_late, unusable, without_answer

NAME: Final = "webhook"
TRAITS: Final = ChannelTraits(
    SendPolicy.AT_LEAST_ONCE,
    timeout=timedelta(seconds=15),
    keyed=True,
    rates=(Rate(10, timedelta(seconds=1)),),
    max_bytes=20_000,
    disable_after=timedelta(days=5),
)


class WebhookChannel:
    """`ports.channel.Channel` over Standard Webhooks; the receiver deduplicates by `webhook-id`, for as long as it likes."""

    def __init__(self, client: HttpClient, clock: Clock, traits: ChannelTraits = TRAITS) -> None:
        self.name = NAME
        self.traits = traits
        self._client = client
        self._clock = clock

    def problems(self, settings: AddressSettings) -> list[Problem]:
        """URL, way to prove who we are, secrets."""
        return list(problems(settings, self._client.problem))

    def destinations(self, address: Address) -> tuple[Destination, ...]:
        """The URL."""
        url = address.settings.secrets["webhook_url"].reveal()
        return (Destination(destination_key(NAME, url), NAME, mask_url(url), self.traits.rates),)

    def render(self, content: Content, form: Form) -> Payload:
        """`{type, timestamp, data}`: the kind, when it was asked for, and everything that a program needs."""
        text = with_link(content.neutral if form is Form.NEUTRAL else content.text, content.action_url)
        body = {"type": content.kind, "timestamp": instant(content.requested_at), "data": _data(content, form, text)}
        size = len(canonical_json(body))
        if self.traits.max_bytes is not None and size > self.traits.max_bytes:
            raise PayloadTooLarge(size, self.traits.max_bytes)
        return Payload(form, body, text)

    async def send(self, request: SendRequest, deadline: float) -> SendResult:
        """POST it once; each secret in force signs."""
        seconds = min(self.traits.timeout.total_seconds(), deadline - self._clock.boottime())
        if seconds <= 0:
            return too_late()
        settings = request.address.settings
        if faults := self.problems(settings):
            return unusable(faults)
        made = self._request(request, settings)
        answer = await self._client.exchange(made, seconds)
        hidden = hidden_of(settings)
        shown = shown_request(made, request.payload.body, hidden)
        if isinstance(answer, HttpFailure):
            return replace(without_answer(answer), request_json=shown)
        result = result_of(answer, self._clock.now())
        return replace(result, request_json=shown, response_json=shown_answer(answer, hidden))

    async def lookup(self, provider_key: str, address: Address) -> SendResult | None:  # noqa: ARG002
        """None: a webhook answers no questions."""
        return None

    def _request(self, request: SendRequest, settings: AddressSettings) -> HttpRequest:
        now, body = self._clock.now(), canonical_json(request.payload.body)
        webhook_id, timestamp = f"msg_{request.provider_key}", int(now.timestamp())
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "outrider",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
        }
        if secrets := signing_secrets(settings, now):
            headers["webhook-signature"] = webhook_signature(secrets, webhook_id, timestamp, body)
        if settings.auth_type == "bearer":
            headers["authorization"] = f"Bearer {settings.secrets['bearer_token'].reveal()}"
        return HttpRequest("POST", settings.secrets["webhook_url"].reveal(), headers, body)


def _data(content: Content, form: Form, text: str) -> dict[str, Any]:
    """Names and words; of what an application or a person wrote nothing in the neutral form."""
    named = {
        "notification_id": str(content.notification_id) if content.notification_id is not None else None,
        "recipient_id": content.recipient_id,
        "kind": content.kind,
        "subject_type": content.subject_type,
        "subject_id": content.subject_id,
        "correlation_id": content.correlation_id,
        "causation_id": content.causation_id,
        "priority": content.priority.name.lower(),
        "locale": content.locale,
        "text": text,
        "action_text": content.action_text,
        "action_url": content.action_url,
        "fallback_used": content.fallback_used,
    }
    if form is Form.NEUTRAL:
        return named
    return named | {"title": content.title, "lines": list(content.lines), "data": dict(content.data)}
