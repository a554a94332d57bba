"""What an author gives the suite of channels: a channel, an address, and a provider that can be told how to answer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest
from outrider.ports.channel import Channel
from outrider.ports.clock import Clock

LINK = "https://app.example.com/s/1?a=1&b=2"
RECORD_ID = UUID("0192f0c1-2b7a-7cc0-8000-0000000000aa")
REQUESTED_AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
PROVIDER_KEY = "nk1" + "a" * 37


async def _nothing() -> None:
    """The provider needs no telling."""


@dataclass(frozen=True, slots=True)
class ChannelCase:
    """One answer of the provider and what it must mean. `arrange` tells the provider to answer the next call so."""

    name: str
    outcome: Outcome
    code: Code | None = None
    error_class: ErrorClass | None = None
    maybe_done: bool = False
    arrange: Callable[[], Awaitable[None]] = _nothing


@dataclass(frozen=True, slots=True)
class ChannelHarness:
    """A channel under test.

    `address` can be sent to. `unusable` are settings with problems, each with the code of its first one. `secrets` are
    texts that the channel or the address holds and nothing may show. `cases` is the table of outcomes, with at least one
    success. `seen` counts what reached the provider so far.
    """

    channel: Channel
    address: Address
    clock: Clock
    cases: Sequence[ChannelCase] = ()
    unusable: Sequence[tuple[AddressSettings, str]] = ()
    secrets: Sequence[str] = ()
    seen: Callable[[], int] | None = field(default=None)


def content(text: str = "明天的会议改到三点", title: str = "日程", action_url: str | None = LINK) -> Content:
    """Content as the notifier makes it: sanitised, with an envelope, unescaped."""
    return Content(
        notification_id=RECORD_ID,
        recipient_id="user-1",
        kind="important_urgent_task",
        locale="zh-CN",
        requested_at=REQUESTED_AT,
        title=f"[Steward] {title}",
        text=f"[Steward] {text}",
        neutral="[Steward] 请回到系统查看。",
        action_text="查看",
        action_url=action_url,
        subject_type="task",
        subject_id="7",
        correlation_id="preview-1",
        causation_id="trigger-1",
        data={"task": text},
    )


def request(harness: ChannelHarness, payload: Payload, provider_key: str = PROVIDER_KEY) -> SendRequest:
    """One first attempt."""
    return SendRequest(
        notification_id=RECORD_ID,
        generation=1,
        attempt_no=1,
        attempt_count=1,
        recipient_id=harness.address.recipient_id,
        kind="important_urgent_task",
        subject_type="task",
        subject_id="7",
        correlation_id="preview-1",
        causation_id="trigger-1",
        trace_id="trace-1",
        target_url="/s/1?a=1&b=2",
        title="[Steward] 日程",
        message_text=payload.text,
        fallback_used=False,
        form=payload.form,
        payload=payload,
        provider_key=provider_key,
        address=harness.address,
    )
