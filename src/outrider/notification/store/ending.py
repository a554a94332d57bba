"""What follows when a record ends, in the same transaction. Source: spec/notification.md T4, NT-12, NT-17, NT-27, NT-28."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from outrider.core.notification.address import AddressState
from outrider.core.notification.codes import Code, ErrorClass
from outrider.core.notification.request import ENDED
from outrider.core.notification.traits import SendPolicy
from outrider.core.steps import Statement, Steps
from outrider.notification.admission import withdrawn
from outrider.notification.attempt import Transition
from outrider.notification.record import Record, record_of
from outrider.notification.route import Step, falls_back, next_step
from outrider.notification.states import Status
from outrider.notification.store import rows
from outrider.notification.store.inbox import put_items
from outrider.notification.store.people import mark_address
from outrider.notification.store.rules import Announcement, Rules


def after_end(
    rules: Rules, record: Record, made: Transition, now: datetime, *, told_by: Record | None = None
) -> Steps[Step | None]:
    """Write what follows from an end, besides the message that tells of it: the inbox item, a fallback that is no longer
    wanted, a refused address. Gives the step of the route that is to be tried next, for the caller to accept.

    `told_by`: the record whose effect is written here, because its channel is local. Statement
    `unbegun_fallbacks`, params `request_id`, `parent_id` → records, locked.
    """
    if told_by is not None:
        yield from put_items([(rules.new_id(), told_by, rules.compose(told_by))])
    if made.status is Status.SENT and len(record.route.first_of) > 1:
        yield from withdraw_fallbacks(rules, record, now)
    if made.error_class == ErrorClass.RECIPIENT:
        yield from mark_address(record.recipient_id, record.channel, AddressState.INVALID, made.code or "")
    traits = rules.traits.get(record.channel)
    policy = SendPolicy.AT_MOST_ONCE if traits is None else traits.policy
    if not falls_back(made.status, made.code, policy):
        return None
    return next_step(record.route, record.channel, record.step)


def withdraw_fallbacks(rules: Rules, record: Record, now: datetime) -> Steps[None]:
    """Cancel what was to tell the person in this record's place and has not begun (T4)."""
    found = yield Statement("unbegun_fallbacks", {"request_id": record.request_id, "parent_id": record.id})
    ends = []
    for child in map(record_of, found):
        made = withdrawn(child, Code.TOLD_ELSEWHERE)
        ends.append(((yield from rows.write(child, rows.moved(child, made, now))), made))
    yield from tell_ends(rules, ends)


def tell_ends(rules: Rules, ends: Sequence[tuple[Record, Transition]]) -> Steps[None]:
    """Add the message `notification.ended` of each."""
    if ends:
        yield from rules.announce(
            [Announcement(ENDED, record.recipient_id, ended_body(record, made)) for record, made in ends]
        )


def ended_body(record: Record, made: Transition, members: int | None = None) -> Mapping[str, Any]:
    """The body of `notification.ended` v1. No texts."""
    body = {
        "record_id": str(record.id), "request_id": str(record.request_id), "recipient_id": record.recipient_id,
        "channel": record.channel, "kind": record.kind, "status": str(made.status), "code": made.code,
        "correlation_id": record.correlation_id, "causation_id": record.causation_id, "attempts": record.attempt_no,
        "generation": record.generation, "digest_record_id": record.digest_record_id and str(record.digest_record_id),
        "digest_members": members,
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}
