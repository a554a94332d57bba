"""Accepting requests: their records, in the caller's transaction. Source: spec/notification.md NT-1 to NT-7, NT-34, NT-49."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from outrider.core.canonical import canonical_json
from outrider.core.notification.request import NotificationRequest, Route
from outrider.core.steps import Steps
from outrider.notification.dedupe import request_hash, scope_hash, scope_until
from outrider.notification.destination import Hold
from outrider.notification.preferences import PreferenceRow, preference_of, quiet_of
from outrider.notification.quiet import quiet_until
from outrider.notification.record import Record, route_json
from outrider.notification.route import Step, order, resolve
from outrider.notification.states import Status
from outrider.notification.store.people import (
    AddressRow,
    read_addresses,
    read_addresses_of,
    read_preference,
    read_preferences_of,
)
from outrider.notification.store.placing import Accepted, Draft, place
from outrider.notification.store.rules import Rules


class Request(NamedTuple):
    """What is to be accepted. `fallback_used`: the text rule emptied the summary (NT-37)."""

    request: NotificationRequest
    fallback_used: bool = False


def accept(rules: Rules, request: NotificationRequest, *, fallback_used: bool = False) -> Steps[list[Accepted]]:
    """Make the records of a request, one a channel of its route, in the route's order.

    In the transaction of the receipt, so that a redelivered event makes none. Calls no provider; a channel that is
    local is told at once if it is due.
    """
    (accepted,) = yield from accept_all(rules, [Request(request, fallback_used)])
    return accepted


def accept_all(rules: Rules, wanted: Sequence[Request]) -> Steps[list[list[Accepted]]]:
    """The same for several, as one after the other; by few statements where no two are of one scope."""
    recipients = dict.fromkeys(one.request.recipient_id for one in wanted)
    preferences, now = yield from read_preferences_of(recipients)
    routes = [
        order(_route_of(rules, one.request), preference_of(preferences[one.request.recipient_id])) for one in wanted
    ]
    pushed = {
        one.request.recipient_id: None for one, route in zip(wanted, routes, strict=True) if _pushes(rules, route)
    }
    addresses = yield from read_addresses_of(pushed)
    drafted = [
        _drafts(
            rules, one, route, now, preferences[one.request.recipient_id], addresses.get(one.request.recipient_id, {})
        )
        for one, route in zip(wanted, routes, strict=True)
    ]
    scopes: set[bytes] = set()
    together: list[int] = []
    for number, drafts in enumerate(drafted):
        own = {draft.record.scope_hash for draft in drafts}
        if own.isdisjoint(scopes):
            together.append(number)
        scopes |= own
    found = iter((yield from place(rules, [draft for number in together for draft in drafted[number]], now)))
    accepted = {number: [next(found) for _ in drafted[number]] for number in together}
    for number, drafts in enumerate(drafted):
        if number not in accepted:
            accepted[number] = yield from place(rules, drafts, now)
    return [accepted[number] for number in range(len(wanted))]


def accept_step(rules: Rules, parent: Record, step: Step, now: datetime) -> Steps[Accepted | None]:
    """The next channel of a request that was not told by `parent` (NT-28); None where the request has it already."""
    request = replace(parent.request(), deliver_at=None)
    preference, _ = yield from read_preference(parent.recipient_id)
    addresses = yield from read_addresses(parent.recipient_id)
    record = _draft(rules, request, parent.route, step, now, preference, addresses.get(step.channel))
    record = replace(record, parent_id=parent.id, fallback_used=parent.fallback_used, expires_at=parent.expires_at)
    (found,) = yield from place(rules, [Draft(record, request, _scope_until(rules, request, now))], now)
    return None if found.reused else found


def _route_of(rules: Rules, request: NotificationRequest) -> Route:
    return request.route or rules.settings.route_of(request.kind)


def _pushes(rules: Rules, route: Route) -> bool:
    """Whether any channel of the route needs an address."""
    return any(
        channel not in rules.traits or rules.traits[channel].pushes for channel in (*route.always, *route.first_of)
    )


def _drafts(
    rules: Rules, wanted: Request, route: Route, now: datetime, preference: PreferenceRow | None,
    addresses: dict[str, AddressRow],
) -> list[Draft]:  # fmt: skip
    """The records of a request as they would be."""
    request = wanted.request
    usable = {channel for channel, one in addresses.items() if one.usable}
    usable |= {channel for channel, traits in rules.traits.items() if not traits.pushes}
    until = _scope_until(rules, request, now)
    found = []
    for step in resolve(route, preference_of(preference), request.kind, usable, rules.traits):
        record = _draft(rules, request, route, step, now, preference, addresses.get(step.channel))
        found.append(Draft(replace(record, fallback_used=wanted.fallback_used), request, until, step.muted))
    return found


def _scope_until(rules: Rules, request: NotificationRequest, now: datetime) -> datetime:
    settings = rules.settings
    return scope_until(request, now, settings.dedupe_window_of(request.kind), settings.retention.records)


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
        status=str(Status.PENDING), hold=None if hold is None else str(hold), attempt_count=0, attempt_no=0,
        max_attempts=settings.max_attempts,
        generation=1, form=None, content_json=None, content_hash=None, next_retry_at=min(due, max(expires_at, now)),
        ambiguous_since=None, last_error_code=None, last_error_class=None, last_error=None, provider_message_id=None,
        destination_key=None if address is None else address.destination_key, address_version=None, digest_id=None,
        digest_record_id=None, lease_owner=None, lease_until=None, epoch=0, sent_at=None, ended_at=None, created_at=now,
        updated_at=now,
    )  # fmt: skip
