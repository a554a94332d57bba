"""What people and changed circumstances do with records. Source: spec/notification.md NT-30, NT-47, T12, T14 to T16."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from outrider.core.errors import StateConflict, VersionMismatch
from outrider.core.notification.codes import Code
from outrider.core.notification.traits import ChannelTraits
from outrider.core.steps import Statement, Steps
from outrider.notification.admission import withdrawn
from outrider.notification.attempt import Transition
from outrider.notification.record import Record, record_of
from outrider.notification.reopening import FOR_WANT_OF, ReplayMode, may_reopen, may_replay
from outrider.notification.states import Event, Status, transition
from outrider.notification.store import rows
from outrider.notification.store.destinations import lock_one
from outrider.notification.store.finishing import conclude
from outrider.notification.store.people import read_address
from outrider.notification.store.rules import Rules


@dataclass(frozen=True, slots=True)
class Version:
    """What a caller saw of a record: an `If-Match`. Each replay raises the epoch, so two clicks are one re-send."""

    generation: int
    epoch: int

    def matches(self, record: Record) -> bool:
        """Whether the record is still as it was seen."""
        return (record.generation, record.epoch) == (self.generation, self.epoch)


def cancel(rules: Rules, record_id: UUID) -> Steps[Record | None]:
    """Withdraw a record that waits (T12); None where there is none. Raises StateConflict for any other."""
    found = yield from rows.lock(record_id)
    if found is None:
        return None
    record, now = found
    rows.demand(record, Event.WITHDRAWN, "canceled")
    after, _ = yield from conclude(rules, record, withdrawn(record), now, fence=True)
    return after


def replay(rules: Rules, record_id: UUID, mode: ReplayMode, seen: Version | None = None) -> Steps[Record | None]:
    """Send an ended record again (T15), due now; None where there is none.

    `resume` is the same message under the same key, `resend` a second one. Raises StateConflict where the mode may not
    be used, VersionMismatch where the record is not as `seen`.
    """
    found = yield from rows.lock(record_id)
    if found is None:
        return None
    record, now = found
    _check_seen(record, seen)
    if not may_be_replayed(rules, record, mode, now):
        raise StateConflict(record.status, f"replayed by {mode}")
    again = replayed(rules, record, mode, now)
    yield from extend([again])
    return (yield from rows.write(record, again))


def may_be_replayed(rules: Rules, record: Record, mode: ReplayMode, now: datetime) -> bool:
    """Whether a person may send this record again in this mode, from here."""
    traits = rules.traits.get(record.channel)
    return traits is not None and may_replay(record, mode, rules.settings, traits, now)


def replayed(rules: Rules, record: Record, mode: ReplayMode, now: datetime) -> Record:
    """The record as it is sent again: due now, fenced against who had it; `resend` begins a new generation."""
    transition(record.status, Event.REPLAYED, Status.PENDING)
    again = replace(
        record, status=str(Status.PENDING), hold=None, attempt_count=0, next_retry_at=now, ended_at=None, sent_at=None,
        lease_owner=None, lease_until=None, epoch=record.epoch + 1,
        expires_at=max(record.expires_at, now + rules.settings.give_up_after),
    )  # fmt: skip
    if mode is not ReplayMode.RESEND:
        return again
    return replace(
        again, generation=record.generation + 1, ambiguous_since=None, content_json=None, content_hash=None, form=None
    )


def extend(replayed_records: Sequence[Record]) -> Steps[None]:
    """Replayed records get their time anew: statement `extend_notification`, `many` of `id`, `expires_at`."""
    sets = [{"id": one.id, "expires_at": one.expires_at} for one in replayed_records]
    if sets:
        yield Statement("extend_notification", many=sets)


def resolve(
    rules: Rules, record_id: UUID, status: Literal[Status.SENT, Status.DEAD], note: str, seen: Version | None = None
) -> Steps[Record | None]:
    """Say what became of an `unknown` record (T16): a person, or the channel's `lookup`. Errors as `replay`."""
    found = yield from rows.lock(record_id)
    if found is None:
        return None
    record, now = found
    _check_seen(record, seen)
    rows.demand(record, Event.RESOLVED, f"resolved as {status}")
    transition(record.status, Event.RESOLVED, status)
    made = Transition(
        Event.RESOLVED, status, record.attempt_count, Code.RESOLVED, record.last_error_class, note,
        ambiguous_since=record.ambiguous_since, form=record.current_form,
    )  # fmt: skip
    after, _ = yield from conclude(rules, record, made, now, fence=True)
    return after


def reopen(rules: Rules, limit: int, behind: UUID | None = None) -> Steps[tuple[list[Record], UUID | None]]:
    """Make `pending` what was skipped for want of something that is there now (T14, NT-30).

    Looks at `limit` records behind `behind` in the order of ids; gives those reopened, and where to go on (None: at the
    end). Statement `skipped_notifications`, params `behind`, `since` (of `ended_at`), `limit` → records and `clock`, locked
    (SKIP LOCKED), by id.
    """
    since = (yield from rows.read_clock()) - rules.settings.reopen_window
    params = {"behind": behind or UUID(int=0), "since": since, "limit": limit}
    found = yield Statement("skipped_notifications", params)
    opened, last = [], None
    for row in found:
        record, now = record_of(row), row[-1]
        last = record.id
        if record.last_error_code in FOR_WANT_OF and (yield from _may_go_on(rules, record, now)):
            transition(record.status, Event.REOPENED, Status.PENDING)
            again = replace(
                record, status=str(Status.PENDING), hold=None, attempt_count=0, next_retry_at=now, ended_at=None,
                last_error_code=None, last_error_class=None, last_error=None, epoch=record.epoch + 1,
            )  # fmt: skip
            opened.append((yield from rows.write(record, again)))
    return opened, last if len(found) >= limit else None


def _may_go_on(rules: Rules, record: Record, now: datetime) -> Steps[bool]:
    if record.channel not in rules.traits or not rules.settings.enabled:
        return False
    address = yield from read_address(record.recipient_id, record.channel)
    if address is None or not address.usable:
        return False
    destination = yield from lock_one(address.destination_key)
    if destination is not None and destination.state == "disabled":
        return False
    changed = record.address_version is None or address.version > record.address_version
    changed = changed or (destination is not None and destination.version > 1)
    siblings = yield from rows.read_of_request(record.request_id)
    told = _told_by_another(record, siblings, rules.traits)
    return may_reopen(record, rules.settings, now, changed=changed, told_elsewhere=told)


def _told_by_another(record: Record, siblings: list[Record], traits: Mapping[str, ChannelTraits]) -> bool:
    """Whether another pushing channel told, or may yet tell."""
    return any(
        one.id != record.id
        and one.status in {Status.SENT, Status.PENDING, Status.FAILED, Status.SENDING, Status.MERGED}
        and (one.channel not in traits or traits[one.channel].pushes)
        for one in siblings
    )


def _check_seen(record: Record, seen: Version | None) -> None:
    if seen is not None and not seen.matches(record):
        raise VersionMismatch("the record changed since it was read")
