"""Placing new records: each under its scope, or in its place the record that holds it. Source: spec/notification.md NT-3 to
NT-6, NT-49.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from outrider.core.errors import InvariantViolated
from outrider.core.identity import uuid_from_text
from outrider.core.notification.codes import Code
from outrider.core.notification.request import NotificationRequest
from outrider.core.steps import Params, Statement, Steps
from outrider.notification.admission import refusal
from outrider.notification.attempt import Transition
from outrider.notification.dedupe import Judged, judge
from outrider.notification.record import Record, record_of
from outrider.notification.states import Event, Status
from outrider.notification.store import digests, rows
from outrider.notification.store.ending import after_end, tell_ends
from outrider.notification.store.inbox import put_items
from outrider.notification.store.rules import Rules

RENEWED: Final = (
    "request_hash", "expires_at", "locale", "target_url", "title", "summary_text", "fallback_text", "fallback_used",
    "data_json",
)  # fmt: skip
"""What an untold record takes of newer content (NT-5)."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a request on one channel. `reused`: the record was there, and nothing was sent or moved;
    `superseded`: it took this request's newer content.
    """

    record: Record
    reused: bool = False
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A record as it would be for `request`; its scope is kept until then. `is_muted`: the recipient wants none of it."""

    record: Record
    request: NotificationRequest
    until: datetime
    is_muted: bool = False


def place(rules: Rules, drafts: Sequence[Draft], now: datetime) -> Steps[list[Accepted]]:
    """Write the drafts whose scope is theirs; in place of the others the record that holds it. In the order given.

    No two are of one scope. Statements besides those of the steps used: `take_notification_scope`, `many` of `scope_hash`,
    `record_id`, `expires_at`: makes the scope or locks it → `(scope_hash, record_id, expires_at)`;
    `pass_notification_scope`, the same params; `count_notification_duplicate`, param `scope_hash`; `renew_notification`, see
    `_renew`.
    """
    if not drafts:
        return []
    sets = [
        {"scope_hash": one.record.scope_hash, "record_id": one.record.id, "expires_at": one.until}
        for one in sorted(drafts, key=lambda one: one.record.scope_hash)
    ]
    held = (
        (yield Statement("take_notification_scope", sets[0]))  # the usual one is spared what it costs to send several
        if len(sets) == 1
        else (yield Statement("take_notification_scope", many=sets))
    )
    holders = {row[0]: (row[1], row[2]) for row in held}
    found: dict[UUID, Accepted] = {}
    free = []
    for one in drafts:
        holder_id, expires_at = holders[one.record.scope_hash]
        judged = None
        if holder_id != one.record.id:
            judged = yield from _judged(one, holder_id, expired=now >= expires_at)
        if judged is None:
            free.append(one)
        else:
            found[one.record.id] = judged
    for one, accepted in zip(free, (yield from _written(rules, free, now)), strict=True):
        found[one.record.id] = accepted
    return [found[one.record.id] for one in drafts]


def _judged(draft: Draft, holder_id: UUID, *, expired: bool) -> Steps[Accepted | None]:
    """The holder of the scope where this is its duplicate; None where the scope is free, and then it is the draft's."""
    holder = yield from _holder("read_scope_holder", {"id": holder_id})
    named = _named(draft.request) == holder_id
    record, judged = draft.record, Judged.FREE
    if holder is not None:
        judged = judge(
            expired=expired and not named,
            status=Status.SENT if named and holder.status in {Status.DEAD, Status.CANCELED} else holder.status,
            has_begun=holder.has_begun,
            holder_hash=holder.request_hash,
            wanted_hash=record.request_hash,
        )
    if holder is None or judged is Judged.FREE:
        yield from _pass_scope(draft, record.id)
        return None
    yield Statement("count_notification_duplicate", {"scope_hash": record.scope_hash})
    if judged is Judged.REPLACE:
        yield from _renew(record, holder_id)
        holder = (yield from _holder("read_scope_holder", {"id": holder_id})) or holder
    return Accepted(
        holder, reused=True, superseded=judged is Judged.REPLACE and holder.request_hash == record.request_hash
    )


def _holder(statement: str, params: Params) -> Steps[Record | None]:
    """A record that stands in the way, as committed last, whatever snapshot the caller's transaction has.

    Statements: `read_scope_holder`, param `id`; `read_request_holder`, params `request_id`, `channel` → a record.
    """
    found = yield Statement(statement, params)
    return record_of(found[0]) if found else None


def _renew(draft: Record, holder_id: UUID) -> Steps[None]:
    """Give an untold record the newer content: statement `renew_notification`, params `id` and `RENEWED`; only while no
    attempt of it was made, or it is `skipped` (NT-5).
    """
    yield Statement("renew_notification", {"id": holder_id} | {name: getattr(draft, name) for name in RENEWED})


def _pass_scope(draft: Draft, holder_id: UUID) -> Steps[None]:
    params = {"scope_hash": draft.record.scope_hash, "record_id": holder_id, "expires_at": draft.until}
    yield Statement("pass_notification_scope", params)


def _written(rules: Rules, drafts: Sequence[Draft], now: datetime) -> Steps[list[Accepted]]:
    """New records, ended at once where they can never go, and told at once where that is ours to do; in place of one whose
    request has its record already (NT-6) that record.
    """
    made: list[tuple[Record, Transition | None]] = []
    told: list[Record] = []
    for one in drafts:
        record, ends, is_told = yield from _becoming(rules, one, now)
        made.append((record, ends))
        if is_told:
            told.append(record)
    written = yield from rows.insert_all([record for record, _ in made])
    items = [(rules.new_id(), record, rules.compose(record)) for record in told if record.id in written]
    yield from put_items(items)
    ended = [(record, ends) for record, ends in made if ends is not None and record.id in written]
    for record, ends in ended:
        yield from after_end(rules, record, ends, now)
    yield from tell_ends(rules, ended)
    results = []
    for one, (record, _) in zip(drafts, made, strict=True):
        results.append(Accepted(record) if record.id in written else (yield from _there_already(one)))
    return results


def _becoming(rules: Rules, draft: Draft, now: datetime) -> Steps[tuple[Record, Transition | None, bool]]:
    """The record as it is written, with its end where it has one, and whether the store tells of it itself."""
    record, traits = draft.record, rules.traits.get(draft.record.channel)
    ends = _ends_at_once(rules, draft, now)
    if ends is not None:
        return rows.moved(record, ends, now), ends, False
    record = yield from digests.joined(rules, record, now, pushes=traits is None or traits.pushes)
    is_due = record.next_retry_at is not None and record.next_retry_at <= now
    is_told = traits is not None and traits.local and is_due
    if not is_told or refusal(record, None, rules.policy(record.channel), now) is not None:
        return record, None, False
    sent = Transition(Event.SUCCEEDED, Status.SENT, 0)
    return rows.moved(record, sent, now), sent, True


def _ends_at_once(rules: Rules, draft: Draft, now: datetime) -> Transition | None:
    if draft.is_muted:
        return Transition(Event.SKIPPED, Status.SKIPPED, 0, Code.MUTED, "none")
    if draft.record.expires_at <= now:
        return Transition(Event.EXPIRED, Status.CANCELED, 0, Code.EXPIRED)
    return (
        None
        if rules.settings.enabled
        else Transition(Event.SKIPPED, Status.SKIPPED, 0, Code.NOTIFICATION_DISABLED, "none")
    )


def _there_already(draft: Draft) -> Steps[Accepted]:
    asked = {"request_id": draft.record.request_id, "channel": draft.record.channel}
    found = yield from _holder("read_request_holder", asked)
    if found is None:
        raise InvariantViolated("a request's record on a channel is neither there nor can it be written")
    yield from _pass_scope(draft, found.id)
    return Accepted(found, reused=True)


def _named(request: NotificationRequest) -> UUID | None:
    """The record that a request names (NT-2), if it can be one of ours."""
    try:
        return uuid_from_text(request.notification_id or "")
    except ValueError:
        return None
