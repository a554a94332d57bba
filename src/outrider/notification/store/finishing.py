"""Writing what calls gave, and finding out that nobody will.

Several results are written in one transaction, each judged by itself, and of one destination one after the other. Source:
spec/notification.md NT-11 to NT-14, NT-27, T4 to T9, T17.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from outrider.core.identity import coordinates_id
from outrider.core.notification.address import AddressState, Destination
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.request import CHANNEL_DISABLED, NotificationRequest, Route
from outrider.core.notification.sending import SendResult
from outrider.core.steps import Statement, Steps
from outrider.notification import destination
from outrider.notification.admission import skipped
from outrider.notification.attempt import Circumstances, Transition, decide, lost_lease, sender_of
from outrider.notification.destination import DestinationRow, State
from outrider.notification.record import Record, record_of
from outrider.notification.states import Event, Status, may, transition
from outrider.notification.store import rows
from outrider.notification.store.accepting import accept, accept_step
from outrider.notification.store.attempts import Attempt, closed, count_ambiguous, lock_attempt, lock_attempts
from outrider.notification.store.destinations import lock_all, lock_known, lock_one, waiting, write_destinations
from outrider.notification.store.ending import after_end, tell_ends
from outrider.notification.store.people import mark_address, read_addresses
from outrider.notification.store.rules import Announcement, Rules

NOTICE: Final = "channel_disabled"
"""The kind of the message that tells of a destination that was switched off."""
INBOX: Final = "inbox"


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a record. `lease_lost`: another owned it; then `record` is as it stands, and `late_success` says
    that a success was taken all the same. `next_record` tells the person in its place; `turned` is the destination
    whose state this result changed.
    """

    record: Record
    lease_lost: bool = False
    late_success: bool = False
    next_record: Record | None = None
    turned: DestinationRow | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a call gave, by the record, epoch and number of its attempt; `destinations` as it began with them."""

    record_id: UUID
    epoch: int
    attempt_no: int
    result: SendResult
    destinations: Sequence[Destination]
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """An attempt that is to be settled; `there` is its destination where its channel is known to have one, `key` what the
    record says.
    """

    record: Record
    attempt: Attempt
    result: SendResult
    now: datetime
    key: bytes | None
    there: Destination | None = None
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Settled:
    case: _Case
    made: Transition
    written: Record
    turned: DestinationRow | None


def finish_all(rules: Rules, done: Sequence[Done]) -> Steps[list[Finished | None]]:
    """Write calls' results: records, attempts, destinations, fallbacks and messages. None where a record is gone.

    Safe to repeat: what is written already is not written again. Repeat it until it succeeds; a success that cannot be
    written must never be sent again. Statements: those of `lock_attempts`; `finish_notification_attempt`, `many` of
    `closed`.
    """
    found = yield from rows.lock_those([one.record_id for one in done])
    attempts = yield from lock_attempts([(one.record_id, one.attempt_no) for one in done])
    cases: dict[int, _Case] = {}
    for place, one in enumerate(done):
        if one.record_id not in found:
            continue
        record, now = found[one.record_id]
        attempt = attempts.get((one.record_id, one.attempt_no))
        mine = record.epoch == one.epoch and record.attempt_no == one.attempt_no and record.status == Status.SENDING
        if attempt is not None and mine:
            there = one.destinations[0] if one.destinations else None
            key = None if there is None else there.key
            cases[place] = _Case(record, attempt, one.result, now, key, there, one.latency_ms)
    locked = yield from lock_all([case.there for case in cases.values() if case.there is not None])
    settled = yield from _settle_all(rules, list(cases.values()), {row.key: row for row in locked})
    answers = dict(zip(cases, settled, strict=True))
    results: list[Finished | None] = []
    for place, one in enumerate(done):
        results.append(answers[place] if place in answers else (yield from _late(rules, one)))
    return results


def finish(rules: Rules, done: Done) -> Steps[Finished | None]:
    """The same for one."""
    (result,) = yield from finish_all(rules, [done])
    return result


def recover(rules: Rules, limit: int) -> Steps[list[Finished]]:
    """Settle at most `limit` records whose owner did not come back: the attempt is `unknown`, its epoch is over (NT-13).

    Those of channels that are not enabled here are left to others. Statement `expired_sendings`, param `limit` → records
    and `clock`, locked (SKIP LOCKED), longest expired first.
    """
    expired = [(record_of(row), row[-1]) for row in (yield Statement("expired_sendings", {"limit": limit}))]
    mine = [one for one in expired if one[0].channel in rules.traits]
    attempts = yield from lock_attempts([(record.id, record.attempt_no) for record, _ in mine])
    cases = []
    for record, now in mine:
        attempt = attempts.get((record.id, record.attempt_no))
        if attempt is not None:
            cases.append(_Case(record, attempt, lost_lease(), now, record.destination_key))
    there = yield from lock_known({case.key for case in cases if case.key is not None})
    return (yield from _settle_all(rules, cases, there))


def conclude(
    rules: Rules, record: Record, made: Transition, now: datetime, *, told_by: Record | None = None, fence: bool = False
) -> Steps[tuple[Record, Record | None]]:
    """Write a transition of a locked record and what follows from it; gives it and the record that comes in its place.

    `fence`: whoever still holds the record loses it.
    """
    after = rows.moved(record, made, now)
    after = yield from rows.write(record, replace(after, epoch=record.epoch + fence))
    if made.ended:
        yield from tell_ends(rules, [(after, made)])
    return after, (yield from _follow(rules, after, made, now, told_by))


def _follow(
    rules: Rules, after: Record, made: Transition, now: datetime, told_by: Record | None = None
) -> Steps[Record | None]:
    """Write what follows from a transition that is written and told of; gives the record that comes in the place of this
    one.
    """
    if not made.ended:
        return None
    step = yield from after_end(rules, after, made, now, told_by=told_by)
    if step is None:
        return None
    accepted = yield from accept_step(rules, after, step, now)
    return None if accepted is None else accepted.record


def _settle_all(rules: Rules, cases: Sequence[_Case], there: dict[bytes, DestinationRow]) -> Steps[list[Finished]]:
    """Write what attempts gave; `there` are the locked rows of their destinations."""
    before, settled = dict(there), []
    for case in cases:
        ambiguous = 0
        if case.result.maybe_done and not rules.policy(case.record.channel).traits.keyed:
            ambiguous = yield from count_ambiguous(case.record)
        settled.append(_settled(rules, case, there, ambiguous))
    if cases:
        yield Statement(
            "finish_notification_attempt",
            many=[closed(case.attempt, case.result, case.latency_ms, case.now, late=False) for case in cases],
        )
    yield from write_destinations([row for key, row in there.items() if row != before[key]])
    yield from rows.write_all([(one.case.record, one.written) for one in settled])
    yield from tell_ends(rules, [(one.written, one.made) for one in settled if one.made.ended])
    found = []
    for one in settled:
        fallback = yield from _follow(rules, one.written, one.made, one.case.now)
        if one.turned is not None and one.turned.state == State.DISABLED:
            shared = one.case.there is not None and one.case.there.shared
            yield from _disable(rules, one.written, one.turned, shared=shared)
        found.append(Finished(one.written, next_record=fallback, turned=one.turned))
    return found


def _settled(rules: Rules, case: _Case, there: dict[bytes, DestinationRow], ambiguous: int) -> _Settled:
    """What becomes of one; what its destination becomes is changed in `there`."""
    record, result = case.record, case.result
    policy, chance = rules.policy(record.channel), rules.chance()
    before = None if case.key is None else there.get(case.key)
    after = None
    if before is not None:
        rates = () if case.there is None else case.there.rates
        sender = sender_of(record.id, record.attempt_no)
        after = destination.after(before, rates, result, policy.breaker, case.now, chance, sender=sender)
        there[after.key] = after
    around = Circumstances(case.attempt.started_at, ambiguous, before, after)
    made = decide(record, result, policy, case.now, chance, around)
    fence = result.code == Code.SENDING_LEASE_EXPIRED
    written = replace(rows.moved(record, made, case.now), epoch=record.epoch + fence)
    is_turned = before is not None and after is not None and after.state != before.state
    return _Settled(case, made, written, after if is_turned else None)


def _late(rules: Rules, done: Done) -> Steps[Finished | None]:
    """A fenced owner's result: its own attempt, if that is open, and a success that outranks a verdict (NT-14)."""
    found = yield from rows.lock(done.record_id)
    if found is None:
        return None
    record, now = found
    attempt = yield from lock_attempt(record.id, done.attempt_no)
    if attempt is None:
        return Finished(record, lease_lost=True)
    if attempt.finished_at is None:
        yield Statement("finish_notification_attempt", closed(attempt, done.result, done.latency_ms, now, late=True))
    lost = record.epoch != done.epoch or attempt.finished_at is None
    taken = (
        done.result.outcome is Outcome.SUCCESS
        and record.generation == attempt.generation
        and may(record.status, Event.LATE_SUCCESS)
    )
    if not taken:
        return Finished(record, lease_lost=lost)
    transition(record.status, Event.LATE_SUCCESS, Status.SENT)
    made = Transition(
        Event.LATE_SUCCESS, Status.SENT, record.attempt_count, ambiguous_since=record.ambiguous_since,
        form=record.current_form, provider_message_id=done.result.provider_message_id,
    )  # fmt: skip
    written, _ = yield from conclude(rules, record, made, now, fence=True)
    return Finished(written, lease_lost=lost, late_success=True)


def skip_waiting(rules: Rules, key: bytes, limit: int) -> Steps[int]:
    """End what waits for a destination that was switched off, at most `limit` (T10, NT-27); gives how many.

    Nothing is done where it takes sends again. Call it until it gives less than `limit`.
    """
    row = yield from lock_one(key)
    if row is None or row.state != State.DISABLED:
        return 0
    now = yield from rows.read_clock()
    found = yield from waiting(key, now, limit)
    for record in found:
        yield from conclude(rules, record, skipped(record, Code.DESTINATION_DISABLED), now, fence=True)
    return len(found)


def _disable(rules: Rules, record: Record, row: DestinationRow, *, shared: bool) -> Steps[None]:
    """Tell of a destination that was switched off, and switch off the address that it alone is (NT-27).

    Statement `addresses_of_destination`, params `destination_key`, `limit` → `(recipient_id)`. The notice goes to the
    owner, of a shared destination to the operators; a notice that fails makes none.
    """
    found = yield Statement("addresses_of_destination", {"destination_key": row.key, "limit": 2})
    owned = len(found) == 1 and not shared
    owners = [one[0] for one in found] if owned else list(rules.settings.operators)
    if owned:
        yield from mark_address(owners[0], row.channel, AddressState.DISABLED, row.reason or "")
    body = {"channel": row.channel, "label": row.label, "reason": row.reason, "recipients": owners}
    yield from rules.announce([Announcement(CHANNEL_DISABLED, record.recipient_id, body)])
    for owner in owners if record.kind != NOTICE else ():
        addresses = yield from read_addresses(owner)
        others = [one.channel for one in addresses.values() if one.usable and one.channel != row.channel]
        healthy = [channel for channel in others if channel in rules.traits]
        data = {"channel": row.channel, "label": row.label, "reason": row.reason or ""}
        episode = f"{NOTICE} {row.key.hex()} {row.version} {owner}"
        notice = NotificationRequest(
            coordinates_id(episode), owner, NOTICE, record.updated_at, data=data, causation_id=str(record.id),
            route=Route(always=(*(one for one in (INBOX,) if one in rules.traits), *healthy)),
        )  # fmt: skip
        yield from accept(rules, notice)
