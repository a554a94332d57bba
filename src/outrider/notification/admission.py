"""Whether a due record may be sent now: what `begin` decides in its transaction.

Invariant: what does not begin costs no attempt; what can never begin ends with its reason. Source: spec/notification.md
NT-10, NT-22, NT-31 to NT-33, T2, T3, T10, T11, T18.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from outrider.core.notification.address import Address, AddressState, Destination
from outrider.core.notification.codes import Code, ErrorClass
from outrider.core.notification.content import Priority
from outrider.notification.attempt import Policy, Transition, sender_of
from outrider.notification.delay import last_begin
from outrider.notification.destination import DestinationRow, Disabled, Held, Hold, admit
from outrider.notification.policy import BEGIN_SHARE
from outrider.notification.quiet import QuietHours, quiet_until
from outrider.notification.record import Record
from outrider.notification.states import Event, Status, transition


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may go: the destinations as they are with its tokens taken."""

    destinations: tuple[DestinationRow, ...]


def lease_needs(policy: Policy) -> timedelta:
    """What must be left of a lease for a call to begin."""
    return policy.traits.timeout + policy.settings.lease / BEGIN_SHARE


def refusal(record: Record, address: Address | None, policy: Policy, now: datetime) -> Transition | None:
    """Why this waiting record ends without a call, or None: late, out of its window, switched off, nobody to tell."""
    if now >= record.expires_at:
        return expired(record)
    last = last_begin(policy.settings, policy.traits, record.ambiguous_since)
    if last is not None and now >= last:
        return _end(record, Event.WINDOW_CLOSED, Status.UNKNOWN, Code.WINDOW_CLOSED, record.last_error_class)
    if not policy.settings.enabled:
        return skipped(record, Code.NOTIFICATION_DISABLED)
    if not policy.traits.pushes:
        return None
    if address is None or address.state is AddressState.INVALID:
        return skipped(record, Code.RECIPIENT_MISSING)
    if not address.enabled:
        return skipped(record, Code.CHANNEL_DISABLED)
    return skipped(record, Code.DESTINATION_DISABLED) if address.state is AddressState.DISABLED else None


def admission(
    record: Record,
    pairs: Sequence[tuple[Destination, DestinationRow]],
    policy: Policy,
    quiet: QuietHours | None,
    now: datetime,
) -> Admitted | Held | Transition:
    """Whether a record without a `refusal` goes now: its tokens taken, or until when it waits, or its end."""
    silence = quiet_until(quiet, now) if policy.traits.pushes and record.urgency is not Priority.URGENT else None
    if silence is not None:
        return _until(record, silence, Hold.QUIET)
    taken, waits = [], []
    sender = sender_of(record.id, record.attempt_no + 1)
    for destination, row in pairs:
        found = admit(row, destination.rates, now, sender=sender, probe_until=now + lease_needs(policy))
        match found:
            case Disabled():
                return skipped(record, Code.DESTINATION_DISABLED)
            case Held():
                waits.append(found)
            case _:
                taken.append(found)
    if waits:
        last = max(waits, key=lambda held: held.until)
        return _until(record, last.until, last.reason)
    return Admitted(tuple(taken))


def expired(record: Record) -> Transition:
    """T11: too late. What only quiet hours or a digest kept was never tried, so nothing failed (NT-32)."""
    if record.ambiguous_since is not None:
        return _end(record, Event.EXPIRED, Status.UNKNOWN, Code.EXPIRED, record.last_error_class)
    untried = not record.has_begun and record.hold in {Hold.QUIET, Hold.DIGEST}
    return _end(record, Event.EXPIRED, Status.CANCELED if untried else Status.DEAD, Code.EXPIRED, None)


def skipped(record: Record, code: Code) -> Transition:
    """T10, without a call."""
    return _end(record, Event.SKIPPED, Status.SKIPPED, code, ErrorClass.NONE)


def withdrawn(record: Record, code: Code = Code.WITHDRAWN) -> Transition:
    """T12."""
    return _end(record, Event.WITHDRAWN, Status.CANCELED, code, None)


def _until(record: Record, until: datetime, reason: Hold) -> Held | Transition:
    """A hold past the record's time ends a quiet one at once, so that nobody is told late (NT-32)."""
    if reason is Hold.QUIET and until >= record.expires_at and not record.has_begun:
        return _end(record, Event.EXPIRED, Status.CANCELED, Code.EXPIRED, None)
    return Held(min(until, record.expires_at), reason)


def _end(record: Record, event: Event, status: Status, code: str, error_class: str | None) -> Transition:
    transition(record.status, event, status)
    return Transition(
        event, status, record.attempt_count, code, error_class, record.last_error,
        ambiguous_since=record.ambiguous_since, form=record.current_form,
    )  # fmt: skip
