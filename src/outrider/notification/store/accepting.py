"""Accepting a request: its records, in the caller's transaction. Source: spec/notification.md NT-1 to NT-7, NT-34, NT-49."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.errors import InvariantViolated
from outrider.core.identity import uuid_from_text
from outrider.core.notification.codes import Code
from outrider.core.notification.request import NotificationRequest, Route
from outrider.core.steps import Params, Rows, Statement, Steps
from outrider.notification.admission import refusal
from outrider.notification.attempt import Transition
from outrider.notification.dedupe import Judged, judge, request_hash, scope_hash, scope_until
from outrider.notification.destination import Hold
from outrider.notification.preferences import PreferenceRow, preference_of, quiet_of
from outrider.notification.quiet import quiet_until
from outrider.notification.record import Record, record_of, route_json
from outrider.notification.route import Step, order, resolve
from outrider.notification.states import Event, Status
from outrider.notification.store import digests, rows
from outrider.notification.store.ending import after_end
from outrider.notification.store.people import AddressRow, read_addresses, read_preference
from outrider.notification.store.rules import Rules


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a request on one channel. `reused`: the record was there, and nothing was sent or moved;
    `superseded`: it took this request's newer content.
    """

    record: Record
    reused: bool = False
    superseded: bool = False


def accept(rules: Rules, request: NotificationRequest, *, fallback_used: bool = False) -> Steps[list[Accepted]]:
    """Make the records of a request, one a channel of its route, in the route's order.

    In the transaction of the receipt, so that a redelivered event makes none. Calls no provider; a channel that is
    local is told at once if it is due. `fallback_used`: the text rule emptied the summary (NT-37). Statements besides
    those of the steps used: `take_notification_scope`, `many` of `scope_hash`, `record_id`, `expires_at`: makes the scope
    or locks it → `(scope_hash, record_id, expires_at)`; `pass_notification_scope`, the same params;
    `count_notification_duplicate`, param `scope_hash`; `renew_notification`, see `_renew`.
    """
    preference, now = yield from read_preference(request.recipient_id)
    route = order(request.route or rules.settings.route_of(request.kind), preference_of(preference))
    pushing = any(
        channel not in rules.traits or rules.traits[channel].pushes for channel in (*route.always, *route.first_of)
    )
    addresses = (yield from read_addresses(request.recipient_id)) if pushing else {}
    usable = {channel for channel, one in addresses.items() if one.usable}
    usable |= {channel for channel, traits in rules.traits.items() if not traits.pushes}
    steps = resolve(route, preference_of(preference), request.kind, usable, rules.traits)
    drafts = [
        replace(
            _draft(rules, request, route, step, now, preference, addresses.get(step.channel)),
            fallback_used=fallback_used,
        )
        for step in steps
    ]
    muted = {draft.id for draft, step in zip(drafts, steps, strict=True) if step.muted}
    return (yield from place(rules, request, drafts, muted, now))


def accept_step(rules: Rules, parent: Record, step: Step, now: datetime) -> Steps[Accepted | None]:
    """The next channel of a request that was not told by `parent` (NT-28); None where the request has it already."""
    request = replace(parent.request(), deliver_at=None)
    preference, _ = yield from read_preference(parent.recipient_id)
    addresses = yield from read_addresses(parent.recipient_id)
    draft = _draft(rules, request, parent.route, step, now, preference, addresses.get(step.channel))
    draft = replace(draft, parent_id=parent.id, fallback_used=parent.fallback_used, expires_at=parent.expires_at)
    found = yield from place(rules, request, [draft], set(), now)
    return None if found[0].reused else found[0]


def place(
    rules: Rules, request: NotificationRequest, drafts: Sequence[Record], muted: set[UUID], now: datetime
) -> Steps[list[Accepted]]:
    """Write the drafts whose scope is theirs; in place of the others the record that holds it."""
    wanted = sorted(drafts, key=lambda draft: draft.scope_hash)
    until = scope_until(
        request, now, rules.settings.dedupe_window_of(request.kind), rules.settings.retention.records
    )  # fmt: skip
    sets = [{"scope_hash": one.scope_hash, "record_id": one.id, "expires_at": until} for one in wanted]
    held: Rows = ()
    if len(sets) == 1:  # the usual one is spared what it costs to send several
        held = yield Statement("take_notification_scope", sets[0])
    elif sets:
        held = yield Statement("take_notification_scope", many=sets)
    holders = {row[0]: (row[1], row[2]) for row in held}
    made = []
    for draft in drafts:
        holder_id, expires_at = holders[draft.scope_hash]
        found = None
        if holder_id != draft.id:
            found = yield from _judged(draft, holder_id, request, until, expired=now >= expires_at)
        if found is None:
            found = yield from _written(rules, draft, now, until, is_muted=draft.id in muted)
        made.append(found)
    return made


def _judged(
    draft: Record,
    holder_id: UUID,
    request: NotificationRequest,
    until: datetime,
    *,
    expired: bool,
) -> Steps[Accepted | None]:
    """The holder of the scope where this is its duplicate; None where the scope is free, and then it is the draft's."""
    holder = yield from _holder("read_scope_holder", {"id": holder_id})
    named = _named(request) == holder_id
    judged = Judged.FREE
    if holder is not None:
        judged = judge(
            expired=expired and not named,
            status=Status.SENT if named and holder.status in {Status.DEAD, Status.CANCELED} else holder.status,
            has_begun=holder.has_begun,
            holder_hash=holder.request_hash,
            wanted_hash=draft.request_hash,
        )
    if holder is None or judged is Judged.FREE:
        params = {"scope_hash": draft.scope_hash, "record_id": draft.id, "expires_at": until}
        yield Statement("pass_notification_scope", params)
        return None
    yield Statement("count_notification_duplicate", {"scope_hash": draft.scope_hash})
    if judged is Judged.REPLACE:
        yield from _renew(draft, holder_id)
        holder = (yield from _holder("read_scope_holder", {"id": holder_id})) or holder
    return Accepted(
        holder, reused=True, superseded=judged is Judged.REPLACE and holder.request_hash == draft.request_hash
    )


def _holder(statement: str, params: Params) -> Steps[Record | None]:
    """A record that stands in the way, as committed last, whatever snapshot the caller's transaction has.

    Statements: `read_scope_holder`, param `id`; `read_request_holder`, params `request_id`, `channel` → a record.
    """
    found = yield Statement(statement, params)
    return record_of(found[0]) if found else None


def _renew(draft: Record, holder_id: UUID) -> Steps[None]:
    """Give an untold record the newer content: statement `renew_notification`, params `id` and the columns below; only
    while no attempt of it was made, or it is `skipped` (NT-5).
    """
    columns = (
        "request_hash",
        "expires_at",
        "locale",
        "target_url",
        "title",
        "summary_text",
        "fallback_text",
        "fallback_used",
        "data_json",
    )
    yield Statement("renew_notification", {"id": holder_id} | {name: getattr(draft, name) for name in columns})


def _written(rules: Rules, draft: Record, now: datetime, until: datetime, *, is_muted: bool) -> Steps[Accepted]:
    """A new record, ended at once where it can never go; the one that the request has already where it has one (NT-6)."""
    traits = rules.traits.get(draft.channel)
    pushes = traits is None or traits.pushes
    ends = _ends_at_once(rules, draft, now, is_muted=is_muted)
    if ends is None:
        draft = yield from digests.joined(rules, draft, now, pushes=pushes)
    told = (
        ends is None
        and traits is not None
        and traits.local
        and draft.next_retry_at is not None
        and draft.next_retry_at <= now
    )
    if told and refusal(draft, None, rules.policy(draft.channel), now) is None:
        ends = Transition(Event.SUCCEEDED, Status.SENT, 0)
    else:
        told = False
    record = draft if ends is None else rows.moved(draft, ends, now)
    if not (yield from rows.insert(record)):
        return (yield from _there_already(draft, until))
    if ends is not None:
        yield from after_end(rules, record, ends, now, told_by=record if told else None)
    return Accepted(record)


def _ends_at_once(rules: Rules, draft: Record, now: datetime, *, is_muted: bool) -> Transition | None:
    if is_muted:
        return Transition(Event.SKIPPED, Status.SKIPPED, 0, Code.MUTED, "none")
    if draft.expires_at <= now:
        return Transition(Event.EXPIRED, Status.CANCELED, 0, Code.EXPIRED)
    return (
        None
        if rules.settings.enabled
        else Transition(Event.SKIPPED, Status.SKIPPED, 0, Code.NOTIFICATION_DISABLED, "none")
    )


def _there_already(draft: Record, until: datetime) -> Steps[Accepted]:
    asked = {"request_id": draft.request_id, "channel": draft.channel}
    found = yield from _holder("read_request_holder", asked)
    if found is None:
        raise InvariantViolated("a request's record on a channel is neither there nor can it be written")
    params = {"scope_hash": draft.scope_hash, "record_id": found.id, "expires_at": until}
    yield Statement("pass_notification_scope", params)
    return Accepted(found, reused=True)


def _draft(
    rules: Rules, request: NotificationRequest, route: Route, step: Step, now: datetime,
    preference: PreferenceRow | None, address: AddressRow | None,
) -> Record:  # fmt: skip
    """The record as it would be; it is due at the latest of now, `deliver_at` and the end of quiet hours (T1)."""
    settings = rules.settings
    latest = max(now, request.deliver_at or now) + settings.give_up_after
    due, hold = max(now, request.deliver_at or now), Hold.DELIVER_AT if (request.deliver_at or now) > now else None
    traits = rules.traits.get(step.channel)
    if request.priority and (traits is None or traits.pushes):
        silence = quiet_until(quiet_of(preference), due)
        due, hold = (due, hold) if silence is None else (silence, Hold.QUIET)
    expires_at = min(request.expires_at or latest, latest)
    locale = request.locale or (preference.locale if preference else "") or settings.default_locale
    return Record(
        id=rules.new_id(), request_id=request.request_id, request_hash=request_hash(request), parent_id=None, step=step.step,
        channel=step.channel, recipient_id=request.recipient_id, kind=request.kind, subject_type=request.subject_type,
        subject_id=request.subject_id, correlation_id=request.correlation_id, causation_id=request.causation_id,
        trace_id=request.trace_id, dedupe_key=request.dedupe_key, scope_hash=scope_hash(request, step.channel),
        requested_at=request.requested_at, deliver_at=request.deliver_at, expires_at=expires_at,
        priority=int(request.priority), locale=locale, route_json=route_json(route), target_url=request.target_url,
        title=request.title, summary_text=request.summary_text, fallback_text=request.fallback_text,
        fallback_used=False, data_json=canonical_json(dict(request.data)).decode() if request.data else None,
        status=str(Status.PENDING), hold=hold, attempt_count=0, attempt_no=0, max_attempts=settings.max_attempts,
        generation=1, form=None, content_json=None, content_hash=None, next_retry_at=min(due, max(expires_at, now)),
        ambiguous_since=None, last_error_code=None, last_error_class=None, last_error=None, provider_message_id=None,
        destination_key=None if address is None else address.destination_key, address_version=None, digest_id=None,
        digest_record_id=None, lease_owner=None, lease_until=None, epoch=0, sent_at=None, ended_at=None, created_at=now,
        updated_at=now,
    )  # fmt: skip


def _named(request: NotificationRequest) -> UUID | None:
    """The record that a request names (NT-2), if it can be one of ours."""
    try:
        return uuid_from_text(request.notification_id or "")
    except ValueError:
        return None
