"""Beginning attempts: everything that must hold right before a call, decided and written under one lock.

Several begin in one transaction, each judged by itself. Source: spec/notification.md NT-10, NT-11, T3, T10, T11, T18.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from outrider.core.notification.address import Address, Destination
from outrider.core.notification.codes import Code
from outrider.core.notification.content import Payload
from outrider.core.steps import Statement, Steps
from outrider.notification.admission import Admitted, admission, lease_needs, refusal, skipped
from outrider.notification.attempt import Transition
from outrider.notification.content_key import freeze, provider_key
from outrider.notification.destination import DestinationRow, Held, State
from outrider.notification.quiet import QuietHours
from outrider.notification.record import Record
from outrider.notification.states import Event, Status, transition
from outrider.notification.store import rows
from outrider.notification.store.claiming import given_back, is_mine
from outrider.notification.store.destinations import lock_all, write_destinations
from outrider.notification.store.finishing import conclude
from outrider.notification.store.people import AddressRow, read_those
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


@dataclass(frozen=True, slots=True)
class Asked:
    """A claimed record that is to begin: its address as it was read for the content (None where there is none), the
    destinations as the channel gave them for it, widest first. `payload` and `title` are frozen unless the record has
    frozen content already, which then is what must be sent.
    """

    claimed: Record
    address: Address | None
    destinations: Sequence[Destination]
    payload: Payload
    title: str
    quiet: QuietHours | None


def begin_all(rules: Rules, asked: Sequence[Asked]) -> Steps[list[BeginResult]]:
    """Right before the calls; gives what became of each, in the order asked. No record is asked for twice.

    Statement `insert_notification_attempt`, `many` of `_attempt`.
    """
    found = yield from rows.lock_those([one.claimed.id for one in asked])
    pushing = [one.claimed for one in asked if rules.policy(one.claimed.channel).traits.pushes]
    addresses = yield from read_those([(one.recipient_id, one.channel) for one in pushing])
    locked = yield from lock_all([place for one in asked for place in one.destinations])
    there = {row.key: row for row in locked}
    before = dict(there)
    decided: list[BeginResult | Transition] = []
    for one in asked:
        row = addresses.get((one.claimed.recipient_id, one.claimed.channel))
        decided.append(_decided(rules, one, found.get(one.claimed.id), row, there))
    begun = [one for one in decided if isinstance(one, Begun)]
    kept = [one for one in decided if isinstance(one, Begun | NotBegun)]
    yield from write_destinations([row for key, row in there.items() if row != before[key]])
    yield from rows.write_all([(found[one.record.id][0], one.record) for one in kept])
    if begun:
        yield Statement("insert_notification_attempt", many=[_attempt(one) for one in begun])
    results: list[BeginResult] = []
    for ends, one in zip(decided, asked, strict=True):
        if isinstance(ends, Transition):
            record, now = found[one.claimed.id]
            results.append((yield from _ended(rules, record, ends, now)))
        else:
            results.append(ends)
    return results


def begin(rules: Rules, asked: Asked) -> Steps[BeginResult]:
    """The same for one."""
    (result,) = yield from begin_all(rules, [asked])
    return result


def tell(rules: Rules, claimed: Record) -> Steps[NeverBegun | LeaseLost]:
    """The whole attempt on a channel that is local: the item and `sent` in one transaction, or its end without."""
    found = yield from rows.lock(claimed.id)
    if found is None or not is_mine(found[0], claimed.epoch):
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
    if found is None or not is_mine(found[0], claimed.epoch):
        return LeaseLost()
    return (yield from _ended(rules, found[0], skipped(found[0], code), found[1]))


def _decided(
    rules: Rules, asked: Asked, found: tuple[Record, datetime] | None, address: AddressRow | None,
    there: dict[bytes, DestinationRow],
) -> BeginResult | Transition:  # fmt: skip
    """What becomes of one; the tokens that it takes are taken in `there`. A transition is an end."""
    if found is None or not is_mine(found[0], asked.claimed.epoch):
        return LeaseLost()
    record, now = found
    policy = rules.policy(record.channel)
    if record.lease_until is None or record.lease_until - now < lease_needs(policy):
        return NotBegun(given_back(record))
    if policy.traits.pushes and _is_stale(asked.address, address):
        return Stale()
    ends = refusal(record, asked.address, policy, now)
    if ends is not None:
        return ends
    pairs = [(one, there[one.key]) for one in asked.destinations]
    allowed = admission(record, pairs, policy, asked.quiet, now)
    match allowed:
        case Transition():
            return allowed
        case Held(until, reason):
            return NotBegun(replace(given_back(record), next_retry_at=until, hold=str(reason)))
        case Admitted(taken):
            there |= {row.key: row for row in taken}
            probed = tuple([row for row in taken if row.state == State.HALF_OPEN])
            return _begun(rules, record, asked, now, probed)


def _begun(rules: Rules, record: Record, asked: Asked, now: datetime, probed: tuple[DestinationRow, ...]) -> Begun:
    transition(record.status, Event.BEGUN, Status.SENDING)
    content_json, content_hash = record.content_json, record.content_hash
    if content_json is None or content_hash is None:
        content_json, content_hash = freeze(asked.payload, asked.title)
        form = str(asked.payload.form)
    else:
        form = record.form or str(asked.payload.form)
    begun = replace(
        record, status=str(Status.SENDING), hold=None, attempt_count=record.attempt_count + 1,
        attempt_no=record.attempt_no + 1, form=form, content_json=content_json, content_hash=content_hash,
        max_attempts=record.max_attempts if record.max_attempts > 0 else rules.settings.max_attempts,
        next_retry_at=None, last_error_code=None, last_error_class=None, last_error=None,
        destination_key=asked.destinations[0].key if asked.destinations else record.destination_key,
        address_version=None if asked.address is None else asked.address.version,
    )  # fmt: skip
    return Begun(begun, provider_key(record.id, record.generation, content_hash), now, probed)


def _attempt(begun: Begun) -> dict[str, Any]:
    record = begun.record
    return {
        "record_id": record.id, "attempt_no": record.attempt_no, "generation": record.generation, "epoch": record.epoch,
        "owner": record.lease_owner, "form": record.form, "provider_key": begun.provider_key,
        "destination_key": record.destination_key, "started_at": begun.started_at,
    }  # fmt: skip


def _ended(rules: Rules, record: Record, ends: Transition, now: datetime) -> Steps[NeverBegun]:
    after, fallback = yield from conclude(rules, record, ends, now)
    return NeverBegun(after, fallback)


def _is_stale(address: Address | None, row: AddressRow | None) -> bool:
    if row is None or address is None:
        return (row is None) != (address is None)
    return row.version != address.version or row.usable != (address.enabled and address.state == "ok")
