"""Which skipped records are worth another look, and what a person may do with an ended one.

Source: spec/notification.md NT-30, NT-47, T14 to T16.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from outrider.core.notification.codes import Code
from outrider.core.notification.traits import ChannelTraits
from outrider.notification.delay import last_begin
from outrider.notification.policy import NotificationPolicy
from outrider.notification.record import Record
from outrider.notification.states import Event, Status, may

FOR_WANT_OF: Final = frozenset(
    {
        Code.RECIPIENT_MISSING, Code.CHANNEL_DISABLED, Code.DESTINATION_DISABLED, Code.NOTIFICATION_DISABLED,
        Code.SECRET_UNREADABLE, Code.PROVIDER_AUTH_FAILED, Code.SIGN_MISMATCH, Code.IP_NOT_ALLOWED, Code.KEYWORD_MISSING,
        Code.SCOPE_MISSING, Code.INVALID_URL, Code.DESTINATION_GONE,
    }
)  # fmt: skip
"""Codes of records that were skipped for want of an address, a switch or a credential."""


class ReplayMode(StrEnum):
    """How a person sends an ended record again."""

    RESUME = "resume"
    """The same message: same generation, content and key."""
    RESEND = "resend"
    """A wanted second message: a new generation and key."""


def may_reopen(
    record: Record, policy: NotificationPolicy, now: datetime, *, changed: bool, told_elsewhere: bool
) -> bool:
    """Whether a skipped record goes on (T14), whose address is usable now.

    `changed`: address or destination have a newer version than the record saw, or the switch that stopped it is on.
    One whose call may have been done stays: it would be a second message.
    """
    return (
        may(record.status, Event.REOPENED)
        and record.last_error_code in FOR_WANT_OF
        and record.ambiguous_since is None
        and record.ended_at is not None
        and now - record.ended_at < policy.reopen_window
        and now < record.expires_at
        and changed
        and not told_elsewhere
    )


def may_replay(
    record: Record, mode: ReplayMode, policy: NotificationPolicy, traits: ChannelTraits, now: datetime
) -> bool:
    """Whether a person may send this record again in this mode (T15).

    What may have been told already is resumed only where the provider still knows its key.
    """
    if not may(record.status, Event.REPLAYED):
        return False
    if mode is ReplayMode.RESEND:
        return True
    if record.status == Status.SENT:
        return False
    if record.ambiguous_since is None:
        return record.status != Status.UNKNOWN
    last = last_begin(policy, traits, record.ambiguous_since)
    return traits.keyed and (last is None or now < last)
