"""A test send: fixed words to one address, now, without a record. Source: spec/notification.md §12."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider.core.errors import PayloadTooLarge, SecretUnreadable
from outrider.core.notification.address import Address
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.text import clean_text
from outrider.notification.calling import called, rendered
from outrider.notification.content_key import freeze, provider_key
from outrider.notification.opening import opened
from outrider.notification.sender import Desk
from outrider.notification.store.people import AddressRow
from outrider.ports.channel import Channel


@dataclass(frozen=True, slots=True)
class Tried:
    """How a test send went. `status` is success, failed or skipped; `trace_id` is the key that the provider got."""

    channel: str
    status: str
    outcome: str
    message: str | None
    trace_id: str
    sent_at: datetime
    skipped: bool
    provider: str


async def try_address(
    desk: Desk, channel: Channel, row: AddressRow | None, recipient_id: str, locale: str | None
) -> Tried:
    """Make one call, or none where there is nothing to call. No rate, breaker or quiet hours stand in its way."""
    content = desk.composer.test(recipient_id, channel.name, locale, desk.clock.now())
    test_id = desk.rules.new_id()
    result, key = await _result(desk, channel, row, content, test_id)
    skipped = result.outcome is Outcome.SKIPPED
    status = "success" if result.outcome is Outcome.SUCCESS else "skipped" if skipped else "failed"
    said = None if status == "success" else result.message or result.code
    provider = channel.name.partition("_")[0]
    return Tried(channel.name, status, str(result.outcome), said, key, desk.clock.now(), skipped, provider)


async def _result(
    desk: Desk, channel: Channel, row: AddressRow | None, content: Content, test_id: UUID
) -> tuple[SendResult, str]:
    if row is None:
        return _skipped(Code.RECIPIENT_MISSING, "nothing is set for this channel"), str(test_id)
    if not row.enabled:
        return _skipped(Code.CHANNEL_DISABLED, "the channel is switched off"), str(test_id)
    try:
        address = opened(row, desk.codec)
        payload = rendered(channel, content, channel.traits.forms[0])
    except SecretUnreadable as error:
        return _skipped(Code.SECRET_UNREADABLE, clean_text(str(error))), str(test_id)
    except PayloadTooLarge as error:
        refused = SendResult(
            Outcome.PERMANENT_FAIL, ErrorClass.PAYLOAD, Code.PAYLOAD_INVALID, message=clean_text(str(error))
        )
        return refused, str(test_id)
    request = _request(content, payload, address, test_id)
    deadline = desk.clock.boottime() + channel.traits.timeout.total_seconds()
    return await called(channel, request, deadline), request.provider_key


def _skipped(code: Code, message: str) -> SendResult:
    return SendResult(Outcome.SKIPPED, ErrorClass.NONE, code, message=message)


def _request(content: Content, payload: Payload, address: Address, test_id: UUID) -> SendRequest:
    _, content_hash = freeze(payload, content.title)
    key = provider_key(test_id, 1, content_hash)
    return SendRequest(
        notification_id=None, generation=1, attempt_no=1, attempt_count=1, recipient_id=content.recipient_id,
        kind=content.kind, subject_type=None, subject_id=None, correlation_id=None, causation_id=None, trace_id=key,
        target_url=None, title=content.title, message_text=payload.text, fallback_used=False, form=payload.form,
        payload=payload, provider_key=key, address=address,
    )  # fmt: skip
