"""What a person is told: chosen, made safe and frozen before the first call, then rendered by a channel.

Source: spec/notification.md NT-8, NT-21, NT-35 to NT-42.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from outrider.core.notification.traits import Form


class Priority(IntEnum):
    """What goes first when much is due, as kept in rows. `urgent` passes quiet hours and waits in no digest."""

    URGENT = 0
    NORMAL = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class Content:
    """The words of one record in one locale, sanitised (NT-40), not yet escaped for any channel.

    `title` and `text` open with the channel's envelope; `text` is summary, fallback or template (NT-37), without the
    link, which the channel adds after escaping where it is not in there already (NT-38). `neutral` is the kind's fixed
    words, with the envelope. `action_url` is absolute or None, `action_text` its label. `lines` are the members of a
    digest, oldest first, else empty. `data` is the application's, flat. Texts hold nothing secret.
    """

    notification_id: UUID | None
    """The record; None on a test send."""
    recipient_id: str
    kind: str
    locale: str
    requested_at: datetime
    title: str
    text: str
    neutral: str
    action_text: str
    action_url: str | None
    fallback_used: bool = False
    priority: Priority = Priority.NORMAL
    subject_type: str | None = None
    subject_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    lines: tuple[str, ...] = ()
    data: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Payload:
    """One content in one form, as the channel will send it but for what is made at send time.

    `body` is plain JSON (dict, list, str, int, float, bool, None) and the same for the same content: no clock, no
    signature, no secret. It is stored, hashed, and read back for every retry, so that a deploy changes none. `text` is
    the sent text (NT-38), link included, as the person reads it.
    """

    form: Form
    body: Mapping[str, Any]
    text: str
