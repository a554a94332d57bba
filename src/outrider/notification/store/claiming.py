"""Taking due records, giving them back, and beginning an attempt.

Source: spec/notification.md NT-9 to NT-11, NT-15, T2, T3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.core.notification.address import Address, Destination
from outrider.core.notification.codes import Code
from outrider.core.notification.content import Payload, Priority
from outrider.core.steps import Statement, Steps
from outrider.notification.admission import Admitted, admission, lease_needs, refusal, skipped
from outrider.notification.attempt import Transition
from outrider.notification.content_key import freeze, provider_key
from outrider.notification.destination import DestinationRow, Held, State
from outrider.notification.quiet import QuietHours
from outrider.notification.record import Record, record_of
from outrider.notification.states import WAITING, Event, Status, transition
from outrider.notification.store import rows
from outrider.notification.store.destinations import lock_all, write_destinations
from outrider.notification.store.finishing import conclude
from outrider.notification.store.people import read_address
from outrider.notification.store.rules import Rules


@dataclass(frozen=True, slots=True)
class Begun:
    """The call may be made: `record` as it is now, with the content that is frozen in it. `probed`: the destinations that
    were left alone, and that this call tries.
    """

    record: Record
    provider_key: str
    started_at: datetime
    probed: tuple[DestinationRow, ...] = ()


@dataclass(frozen=True, slots=True)
class NotBegun:
    """It waits, and costs no attempt: `record` as it is now, given back."""

    record: Record


@dataclass(frozen=True, slots=True)
class NeverBegun:
    """It ended without a call, for the reason in `record`; `next_record` tells the person in its place."""

    record: Record
    next_record: Record | None


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """Another owns it, or it is waiting no more: nothing was written."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The address is not the one that the content was rendered for: read it again. Nothing was written."""


BeginResult = Begun | NotBegun | NeverBegun | LeaseLost | Stale


def claim(rules: Rules, owner: str, limit: int) -> Steps[list[Record]]:
    """Take at most `limit` due records for `owner`, until a lease from now: most urgent first, then by due time and id.

    Each has a new epoch; its status stays. What another transaction has locked is passed over. Statements:
    `due_notifications`, params `priority`, `limit` → records and `clock`, locked (SKIP LOCKED); `write_notification`.
    """
    found: list[tuple[Record, Record]] = []
    for priority in Priority:
        if len(found) >= limit:
            break
        params = {"priority": int(priority), "limit": limit - len(found)}
        for row in (yield Statement("due_notifications", params)):
            record, now = record_of(row), row[-1]
            transition(record.status, Event.TAKEN, Status(record.status))
            until = now + rules.settings.lease
            found.append((record, replace(record, lease_owner=owner, lease_until=until, epoch=record.epoch + 1)))
    yield from rows.write_all(found)
    return [after for _, after in found]


def claim_one(rules: Rules, owner: str, record_id: UUID) -> Steps[Record | None]:
    """Take this very record, if it is due and nobody's (NT-9); None for any other."""
    found = yield from rows.lock(record_id)
    if found is None:
        return None
    record, now = found
    is_due = record.status in WAITING and record.next_retry_at is not None and record.next_retry_at <= now
    if not is_due or (record.lease_until is not None and record.lease_until > now):
        return None
    transition(record.status, Event.TAKEN, Status(record.status))
    until = now + rules.settings.lease
    return (
        yield from rows.write(record, replace(record, lease_owner=owner, lease_until=until, epoch=record.epoch + 1))
    )


def release(claimed: Sequence[Record]) -> Steps[None]:
    """Give back what was claimed and not begun; what is no longer theirs stays as it is."""
    epochs = {one.id: one.epoch for one in claimed}
    found = yield from rows.lock_all(sorted(epochs))
    mine = [record for record in found if _is_mine(record, epochs[record.id])]
    yield from rows.write_all([(record, _given_back(record)) for record in mine])


def begin(
    rules: Rules,
    claimed: Record,
    address: Address | None,
    destinations: Sequence[Destination],
    payload: Payload,
    title: str,
    quiet: QuietHours | None,
) -> Steps[BeginResult]:
    """Right before the call: everything that must hold, decided and written under one lock.

    `address` as it was read for the content (None where there is none), `destinations` as the channel gave them for it,
    widest first. `payload` and `title` are frozen unless the record has frozen content already, which then is what must
    be sent. Statement `insert_notification_attempt`, params of `_attempt`.
    """
    found = yield from rows.lock(claimed.id)
    if found is None or not _is_mine(found[0], claimed.epoch):
        return LeaseLost()
    record, now = found
    policy = rules.policy(record.channel)
    if record.lease_until is None or record.lease_until - now < lease_needs(policy):
        return NotBegun((yield from rows.write(record, _given_back(record))))
    if policy.traits.pushes and (yield from _is_stale(record, address)):
        return Stale()
    ends = refusal(record, address, policy, now)
    if ends is not None:
        return (yield from _ended(rules, record, ends, now))
    locked = yield from lock_all(destinations)
    allowed = admission(record, list(zip(destinations, locked, strict=True)), policy, quiet, now)
    match allowed:
        case Transition():
            return (yield from _ended(rules, record, allowed, now))
        case Held(until, reason):
            held = replace(_given_back(record), next_retry_at=until, hold=str(reason))
            return NotBegun((yield from rows.write(record, held)))
        case Admitted(taken):
            yield from write_destinations(taken)
            widest = destinations[0].key if destinations else None
            begun = yield from _begun(rules, record, address, widest, payload, title, now)
            return replace(begun, probed=tuple(row for row in taken if row.state == State.HALF_OPEN))


def tell(rules: Rules, claimed: Record) -> Steps[NeverBegun | LeaseLost]:
    """The whole attempt on a channel that is local: the item and `sent` in one transaction, or its end without."""
    found = yield from rows.lock(claimed.id)
    if found is None or not _is_mine(found[0], claimed.epoch):
        return LeaseLost()
    record, now = found
    ends = refusal(record, None, rules.policy(record.channel), now)
    told_by = record if ends is None else None
    made = ends or Transition(Event.SUCCEEDED, Status.SENT, record.attempt_count)
    after, fallback = yield from conclude(rules, record, made, now, told_by=told_by)
    return NeverBegun(after, fallback)


def skip(rules: Rules, claimed: Record, code: Code) -> Steps[NeverBegun | LeaseLost]:
    """End a claimed record without a call (T10): its channel is not enabled, its secret cannot be read."""
    found = yield from rows.lock(claimed.id)
    if found is None or not _is_mine(found[0], claimed.epoch):
        return LeaseLost()
    return (yield from _ended(rules, found[0], skipped(found[0], code), found[1]))


def _begun(
    rules: Rules,
    record: Record,
    address: Address | None,
    widest: bytes | None,
    payload: Payload,
    title: str,
    now: datetime,
) -> Steps[Begun]:
    transition(record.status, Event.BEGUN, Status.SENDING)
    content_json, content_hash = record.content_json, record.content_hash
    if content_json is None or content_hash is None:
        content_json, content_hash = freeze(payload, title)
        form = str(payload.form)
    else:
        form = record.form or str(payload.form)
    begun = replace(
        record, status=str(Status.SENDING), hold=None, attempt_count=record.attempt_count + 1,
        attempt_no=record.attempt_no + 1, form=form, content_json=content_json, content_hash=content_hash,
        max_attempts=record.max_attempts if record.max_attempts > 0 else rules.settings.max_attempts,
        next_retry_at=None, last_error_code=None, last_error_class=None, last_error=None,
        destination_key=widest or record.destination_key, address_version=None if address is None else address.version,
    )  # fmt: skip
    key = provider_key(record.id, record.generation, content_hash)
    yield from rows.write(record, begun)
    yield Statement("insert_notification_attempt", _attempt(begun, key, now))
    return Begun(begun, key, now)


def _attempt(record: Record, key: str, now: datetime) -> dict[str, Any]:
    return {
        "record_id": record.id, "attempt_no": record.attempt_no, "generation": record.generation, "epoch": record.epoch,
        "owner": record.lease_owner, "form": record.form, "provider_key": key, "destination_key": record.destination_key,
        "started_at": now,
    }  # fmt: skip


def _ended(rules: Rules, record: Record, ends: Transition, now: datetime) -> Steps[NeverBegun]:
    after, fallback = yield from conclude(rules, record, ends, now)
    return NeverBegun(after, fallback)


def _is_stale(record: Record, address: Address | None) -> Steps[bool]:
    row = yield from read_address(record.recipient_id, record.channel)
    if row is None or address is None:
        return (row is None) != (address is None)
    return row.version != address.version or row.usable != (address.enabled and address.state == "ok")


def _is_mine(record: Record, epoch: int) -> bool:
    return record.epoch == epoch and record.status in WAITING and record.lease_owner is not None


def _given_back(record: Record) -> Record:
    transition(record.status, Event.RELEASED, Status(record.status))
    return replace(record, lease_owner=None, lease_until=None)
