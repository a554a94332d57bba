"""Writing what a call gave, and finding out that nobody will.

Source: spec/notification.md NT-11 to NT-14, NT-27, T4 to T9, T17.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.identity import coordinates_id
from outrider.core.notification.address import AddressState, Destination
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.request import CHANNEL_DISABLED, NotificationRequest, Route
from outrider.core.notification.sending import SendResult
from outrider.core.steps import Statement, Steps
from outrider.core.text import clean_text
from outrider.notification import destination
from outrider.notification.admission import skipped
from outrider.notification.attempt import Circumstances, Transition, decide, lost_lease, sender_of
from outrider.notification.destination import DestinationRow, State
from outrider.notification.record import Record, record_of
from outrider.notification.states import Event, Status, may, transition
from outrider.notification.store import rows
from outrider.notification.store.accepting import accept, accept_step
from outrider.notification.store.destinations import lock_all, lock_one, waiting, write_destinations
from outrider.notification.store.ending import after_end
from outrider.notification.store.people import mark_address, read_addresses
from outrider.notification.store.rules import Rules

NOTICE: Final = "channel_disabled"
"""The kind of the message that tells of a destination that was switched off."""
INBOX: Final = "inbox"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `notification_attempt`, its columns in order; JSON columns as text."""

    record_id: UUID
    attempt_no: int
    generation: int
    epoch: int
    owner: str
    form: str
    provider_key: str
    destination_key: bytes | None
    started_at: datetime
    finished_at: datetime | None
    latency_ms: int | None
    outcome: str | None
    error_class: str | None
    code: str | None
    provider_code: str | None
    http_status: int | None
    maybe_done: bool | None
    retry_after_ms: int | None
    late: bool
    request_json: str | None
    response_json: str | None
    message: str | None


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


def finish(
    rules: Rules,
    record_id: UUID,
    epoch: int,
    attempt_no: int,
    result: SendResult,
    destinations: Sequence[Destination],
    latency_ms: int | None = None,
) -> Steps[Finished | None]:
    """Write a call's result: record, attempt, destination, fallback and messages. None where the record is gone.

    Safe to repeat: what is written already is not written again. Repeat it until it succeeds; a success that cannot be
    written must never be sent again. Statements: `lock_notification_attempt`, params `record_id`, `attempt_no` → an
    attempt; `count_ambiguous_attempts`, params `record_id`, `generation`, `attempt_no` → `(count)` of the earlier ones;
    `finish_notification_attempt`, params of `_closed`.
    """
    found = yield from rows.lock(record_id)
    if found is None:
        return None
    record, now = found
    attempt = yield from lock_attempt(record_id, attempt_no)
    mine = record.epoch == epoch and record.attempt_no == attempt_no and record.status == Status.SENDING
    if attempt is None or not mine:
        late = yield from _late(rules, record, attempt, result, latency_ms, now)
        is_repeat = record.epoch == epoch and attempt is not None and attempt.finished_at is not None
        return replace(late, lease_lost=not is_repeat)
    if not destinations:
        return (yield from _settle(rules, record, attempt, result, None, None, latency_ms, now))
    (before,) = yield from lock_all(destinations[:1])
    return (yield from _settle(rules, record, attempt, result, before, destinations[0], latency_ms, now))


def recover(rules: Rules, limit: int) -> Steps[list[Finished]]:
    """Settle at most `limit` records whose owner did not come back: the attempt is `unknown`, its epoch is over (NT-13).

    Those of channels that are not enabled here are left to others. Statement `expired_sendings`, param `limit` → records
    and `clock`, locked (SKIP LOCKED), longest expired first.
    """
    settled = []
    for row in (yield Statement("expired_sendings", {"limit": limit})):
        record, now = record_of(row), row[-1]
        attempt = yield from lock_attempt(record.id, record.attempt_no)
        if record.channel not in rules.traits or attempt is None:
            continue
        before = yield from lock_one(record.destination_key)
        settled.append((yield from _settle(rules, record, attempt, lost_lease(), before, None, None, now)))
    return settled


def conclude(
    rules: Rules, record: Record, made: Transition, now: datetime, *, told_by: Record | None = None, fence: bool = False
) -> Steps[tuple[Record, Record | None]]:
    """Write a transition of a locked record and what follows from it; gives it and the record that comes in its place.

    `fence`: whoever still holds the record loses it.
    """
    after = rows.moved(record, made, now)
    after = yield from rows.write(record, replace(after, epoch=record.epoch + fence))
    if not made.ended:
        return after, None
    step = yield from after_end(rules, after, made, now, told_by=told_by)
    if step is None:
        return after, None
    accepted = yield from accept_step(rules, after, step, now)
    return after, None if accepted is None else accepted.record


def lock_attempt(record_id: UUID, attempt_no: int) -> Steps[Attempt | None]:
    """Lock an attempt's row."""
    found = yield Statement("lock_notification_attempt", {"record_id": record_id, "attempt_no": attempt_no})
    return attempt_of(found[0]) if found else None


def read_attempts(record_id: UUID) -> Steps[list[Attempt]]:
    """A record's attempts, oldest first: statement `notification_attempts`, param `record_id` → attempts."""
    found = yield Statement("notification_attempts", {"record_id": record_id})
    return [attempt_of(row) for row in found]


def attempt_of(row: tuple[Any, ...]) -> Attempt:
    """The attempt in a row."""
    values: dict[str, Any] = dict(zip(Attempt.__dataclass_fields__, row, strict=True))
    values["late"] = bool(values["late"])
    values["maybe_done"] = None if values["maybe_done"] is None else bool(values["maybe_done"])
    return Attempt(**values)


def _settle(
    rules: Rules, record: Record, attempt: Attempt, result: SendResult, before: DestinationRow | None,
    there: Destination | None, latency_ms: int | None, now: datetime,
) -> Steps[Finished]:  # fmt: skip
    policy, chance = rules.policy(record.channel), rules.chance()
    sender = sender_of(record.id, record.attempt_no)
    after = None
    if before is not None:
        rates = () if there is None else there.rates
        breaker = policy.breaker
        after = destination.after(before, rates, result, breaker, now, chance, sender=sender)
    ambiguous = (yield from _count_ambiguous(record)) if result.maybe_done and not policy.traits.keyed else 0
    around = Circumstances(attempt.started_at, ambiguous, before, after)
    made = decide(record, result, policy, now, chance, around)
    if attempt.finished_at is None:
        yield Statement("finish_notification_attempt", _closed(attempt, result, latency_ms, now, late=False))
    if after is not None and after != before:
        yield from write_destinations([after])
    fence = result.code == Code.SENDING_LEASE_EXPIRED
    written, fallback = yield from conclude(rules, record, made, now, fence=fence)
    turned = after if after is not None and before is not None and after.state != before.state else None
    if turned is not None and turned.state == State.DISABLED:
        yield from _disable(rules, written, turned, shared=there is not None and there.shared)
    return Finished(written, next_record=fallback, turned=turned)


def _late(
    rules: Rules, record: Record, attempt: Attempt | None, result: SendResult, latency_ms: int | None, now: datetime
) -> Steps[Finished]:
    """A fenced owner's result: its own attempt, if that is open, and a success that outranks a verdict (NT-14)."""
    if attempt is None:
        return Finished(record, lease_lost=True)
    if attempt.finished_at is None:
        yield Statement("finish_notification_attempt", _closed(attempt, result, latency_ms, now, late=True))
    taken = (
        result.outcome is Outcome.SUCCESS
        and record.generation == attempt.generation
        and may(record.status, Event.LATE_SUCCESS)
    )
    if not taken:
        return Finished(record, lease_lost=True)
    transition(record.status, Event.LATE_SUCCESS, Status.SENT)
    made = Transition(
        Event.LATE_SUCCESS, Status.SENT, record.attempt_count, ambiguous_since=record.ambiguous_since,
        form=record.current_form, provider_message_id=result.provider_message_id,
    )  # fmt: skip
    written, _ = yield from conclude(rules, record, made, now, fence=True)
    return Finished(written, lease_lost=True, late_success=True)


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
    yield from rules.announce(CHANNEL_DISABLED, record.recipient_id, body)
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


def _count_ambiguous(record: Record) -> Steps[int]:
    params = {"record_id": record.id, "generation": record.generation, "attempt_no": record.attempt_no}
    found = yield Statement("count_ambiguous_attempts", params)
    return int(found[0][0])


def _closed(
    attempt: Attempt, result: SendResult, latency_ms: int | None, now: datetime, *, late: bool
) -> dict[str, Any]:
    """An attempt's result as its row keeps it: texts cleaned, JSON canonical."""
    retry_after = None if result.retry_after is None else round(result.retry_after.total_seconds() * 1_000)
    return {
        "record_id": attempt.record_id, "attempt_no": attempt.attempt_no, "finished_at": now, "latency_ms": latency_ms,
        "outcome": str(result.outcome), "error_class": result.error_class and str(result.error_class),
        "code": rows.kept(result.code, rows.CODE_MAX), "provider_code": rows.kept(result.provider_code, rows.CODE_MAX),
        "http_status": result.http_status, "maybe_done": result.maybe_done, "retry_after_ms": retry_after, "late": late,
        "request_json": _json(result.request_json), "response_json": _json(result.response_json),
        "message": None if result.message is None else clean_text(result.message),
    }  # fmt: skip


def _json(value: Any) -> str | None:  # noqa: ANN401  plain JSON
    return None if value is None else canonical_json(value).decode()
