"""One call of a channel: what it is made with, how long it may last, and what it gave.

Source: spec/notification.md NT-10, NT-17, NT-22, NT-29.
"""

from outrider.core.errors import PayloadTooLarge
from outrider.core.notification.address import Address
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import Form
from outrider.core.text import clean_text
from outrider.notification.attempt import Policy
from outrider.notification.content_key import thaw
from outrider.notification.delay import last_byte
from outrider.notification.policy import BEGIN_SHARE
from outrider.notification.store.beginning import Asked, Begun
from outrider.ports.channel import Channel


def deadline(policy: Policy, begun: Begun, claimed_at: float, asked_at: float, now: float) -> float:
    """Until when a call that is made now may last: its own time, cut to what is left of the lease, and to what is left of the
    time in which the provider knows our key (NT-22).

    All of the boot clock; `claimed_at` and `asked_at` are when claim and `begin` were asked for. The database read its clock
    after that, so what is counted from then ends too early, if at all, and never too late.
    """
    ends = min(
        now + policy.traits.timeout.total_seconds(),
        claimed_at + policy.settings.lease.total_seconds() * (1 - 1 / BEGIN_SHARE),
    )
    last = last_byte(policy.settings, policy.traits, begun.record.ambiguous_since)
    return ends if last is None else min(ends, asked_at + (last - begun.started_at).total_seconds())


def rendered(channel: Channel, content: Content, form: Form) -> Payload:
    """The content in this form, or in the first simpler one that the provider takes. Raises PayloadTooLarge."""
    while True:
        try:
            return channel.render(content, form)
        except PayloadTooLarge:
            simpler = channel.traits.simpler(form)
            if simpler is None:
                raise
            form = simpler


async def called(channel: Channel, request: SendRequest, deadline: float) -> SendResult:
    """One call. A channel that raises all the same may have called: nobody knows (NT-17)."""
    try:
        return await channel.send(request, deadline)
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises, its call may have been made
        return SendResult(
            Outcome.UNKNOWN, ErrorClass.AMBIGUOUS, Code.CONNECTION_LOST,
            message=clean_text(f"the channel failed: {type(error).__name__}"), maybe_done=True,
        )  # fmt: skip


def request_of(begun: Begun, asked: Asked) -> SendRequest:
    """What the channel is asked to send: what is frozen, else what was rendered for it."""
    record = begun.record
    payload, title = thaw(record.content_json) if record.content_json else (asked.payload, asked.title)
    return SendRequest(
        notification_id=record.id,
        generation=record.generation,
        attempt_no=record.attempt_no,
        attempt_count=record.attempt_count,
        recipient_id=record.recipient_id,
        kind=record.kind,
        subject_type=record.subject_type,
        subject_id=record.subject_id,
        correlation_id=record.correlation_id,
        causation_id=record.causation_id,
        trace_id=record.trace_id,
        target_url=record.target_url,
        title=title,
        message_text=payload.text,
        fallback_used=record.fallback_used,
        form=payload.form,
        payload=payload,
        provider_key=begun.provider_key,
        address=asked.address or Address(record.recipient_id, record.channel),
    )
