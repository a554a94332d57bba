"""What a result makes of its record."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import Form
from outrider.notification import destination
from outrider.notification.attempt import Circumstances, Policy, Transition, decide, lost_lease, sender_of
from outrider.notification.delay import last_begin
from outrider.notification.destination import DestinationRow, State
from outrider.notification.record import Record
from outrider.notification.states import Event, Status
from tests.unit.notification.builders import (
    DOWN,
    GONE,
    HOUR,
    KEYED,
    KEYLESS,
    LIMITED,
    LOST,
    MINUTE,
    NOBODY,
    NOW,
    OFFENDED,
    OK,
    ONCE,
    REFUSED,
    SILENT,
    UNSIGNED,
    failed,
    policy,
    record,
)  # fmt: skip


def judge(result: SendResult, one: Record | None = None, by: Policy | None = None, **around: Any) -> Transition:  # noqa: ANN401
    return decide(one or record(), result, by or policy(), NOW, 1.0, Circumstances(**{"started_at": NOW, **around}))


def retried(before: Record, made: Transition) -> Record:
    """The record as its next attempt finds it."""
    return replace(
        before, status="sending", attempt_count=made.attempt_count + 1, attempt_no=before.attempt_no + 1,
        ambiguous_since=made.ambiguous_since, form=made.form and str(made.form),
    )  # fmt: skip


def test_a_success_ends_the_record() -> None:
    """NT-17, T4."""
    made = judge(OK)
    assert (made.status, made.next_retry_at, made.provider_message_id) == (Status.SENT, None, "m1")
    assert made.ended


def test_delays_5_10_20_30_then_dead() -> None:
    """NT-18, T5, T9: dead at the fifth failure; the code stays."""
    one, waits = record(), []
    while not (made := judge(DOWN, one)).ended:
        assert (made.status, made.event) == (Status.FAILED, Event.FAILED_FOR_NOW)
        waits.append((made.next_retry_at or NOW) - NOW)
        one = retried(one, made)
    assert waits == [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE]
    assert (made.status, made.code, made.attempt_count) == (Status.DEAD, Code.PROVIDER_5XX, 5)


def test_a_try_after_the_end_of_its_time_is_none() -> None:
    """NT-18, T5, T9: the next try must lie before `expires_at`."""
    assert judge(DOWN, record(expires_at=NOW + 4 * MINUTE)).status is Status.DEAD
    assert judge(DOWN, record(expires_at=NOW + 6 * MINUTE)).status is Status.FAILED


@pytest.mark.parametrize("count", [1, 5])
def test_limits_cost_no_attempt(count: int) -> None:
    """NT-17: the attempt is given back, whichever it was, and the record waits for the destination's pause."""
    row = DestinationRow(b"d" * 32, "bot", "…")
    after = destination.after(
        row, (), replace(LIMITED, retry_after=HOUR), policy().settings.breaker, NOW, 0.5, sender="x"
    )
    made = judge(LIMITED, record(attempt_count=count), before=row, after=after)
    assert (made.status, made.attempt_count, made.hold) == (Status.FAILED, count - 1, "rate")
    assert made.next_retry_at == after.blocked_until
    assert after.blocked_until is not None
    assert HOUR < after.blocked_until - NOW <= HOUR + timedelta(seconds=1)


def test_lone_record_outlives_an_outage() -> None:
    """NT-18, NT-24: an hour of refused connections costs one record four attempts, and kills nothing."""
    row, one, now, calls = DestinationRow(b"d" * 32, "bot", "…"), record(), NOW, 0
    by = policy()
    while now < NOW + 3 * HOUR:
        calls += 1
        sender = sender_of(one.id, one.attempt_no)
        before = destination.admit(row, (), now, sender=sender, probe_until=now + MINUTE)
        assert isinstance(before, DestinationRow)
        after = destination.after(before, (), SILENT, by.settings.breaker, now, 0.5, sender=sender)
        made = decide(one, SILENT, by, now, 0.5, Circumstances(now, before=before, after=after))
        assert made.status is Status.FAILED
        assert made.next_retry_at is not None
        assert made.next_retry_at >= (after.blocked_until or now)
        row, one, now = after, retried(one, made), made.next_retry_at
    assert one.attempt_count - 1 == 4
    assert (row.state, row.opens > 5) == (State.OPEN, True)
    assert decide(one, OK, by, now, 0.5, Circumstances(now, before=row, after=row)).status is Status.SENT


def test_unknown_is_never_treated_as_temporary() -> None:
    """NT-19, T7, T8: at_most_once stops; at_least_once goes on, without a key at most twice more."""
    assert judge(LOST, by=policy(ONCE)).status is Status.UNKNOWN
    assert judge(replace(DOWN, maybe_done=True), by=policy(ONCE)).status is Status.UNKNOWN
    statuses = [judge(LOST, by=policy(KEYLESS), ambiguous_before=before).status for before in range(4)]
    assert statuses == [Status.FAILED, Status.FAILED, Status.UNKNOWN, Status.UNKNOWN]
    assert judge(LOST, by=policy(KEYED), ambiguous_before=3).status is Status.FAILED
    ordinary = judge(replace(DOWN, maybe_done=True), by=policy(KEYLESS), ambiguous_before=3)
    assert ordinary.status is Status.FAILED, "a temporary one keeps its ordinary tries"
    assert judge(LOST, record(attempt_count=5), policy(KEYED)).status is Status.UNKNOWN, "and no end of it is dead"


def test_ambiguity_is_dated_by_the_first_attempt_that_may_have_told() -> None:
    """NT-20, T7: once, and no later outcome takes it back."""
    first = judge(LOST, started_at=NOW - MINUTE)
    assert (first.event, first.ambiguous_since) == (Event.UNCLEAR, NOW - MINUTE)
    later = judge(LOST, record(ambiguous_since=NOW - 9 * MINUTE), started_at=NOW)
    assert later.ambiguous_since == NOW - 9 * MINUTE
    assert judge(DOWN, record(ambiguous_since=NOW - 9 * MINUTE)).ambiguous_since == NOW - 9 * MINUTE


@pytest.mark.parametrize("result", [REFUSED, NOBODY, DOWN])
def test_refusal_after_ambiguity_is_not_dead(result: SendResult) -> None:
    """NT-20, T9: a definite refusal proves nothing about the earlier call."""
    last = record(attempt_count=5, form="neutral")
    assert judge(result, last).status is Status.DEAD
    made = judge(result, replace(last, ambiguous_since=NOW - MINUTE))
    assert (made.status, made.code) == (Status.UNKNOWN, result.code)


def test_no_attempt_begins_after_window() -> None:
    """NT-22: at 0, 5, 15, 35 and once more by 55 min, never at 65; then the record is unknown. What is due begins."""
    one, now, begun = record(), NOW, []
    while True:
        begun.append((now - NOW) // MINUTE)
        made = decide(one, LOST, policy(), now, 1.0, Circumstances(now))
        if made.next_retry_at is None:
            break
        one, now = retried(one, made), made.next_retry_at
        last = last_begin(policy().settings, KEYED, made.ambiguous_since)
        assert last is not None
        assert now < last
    assert begun == [0, 5, 15, 35, 54]
    assert made.status is Status.UNKNOWN


def test_too_little_window_left_ends_the_record() -> None:
    """NT-22: code `window_closed`."""
    made = judge(DOWN, record(ambiguous_since=NOW - 54.5 * MINUTE))
    assert (made.status, made.code) == (Status.UNKNOWN, Code.WINDOW_CLOSED)


def test_a_simpler_form_goes_at_once_and_costs_nothing() -> None:
    """NT-29, T6: a card that is refused goes as text, refused content goes neutral, under another content."""
    card = judge(REFUSED)
    assert (card.event, card.form, card.new_content) == (Event.FORM_REFUSED, Form.TEXT, True)
    assert (card.next_retry_at, card.attempt_count) == (NOW, 0)
    assert judge(OFFENDED).form is Form.NEUTRAL
    assert judge(OFFENDED, record(form="text")).form is Form.NEUTRAL
    assert judge(REFUSED, record(form="text")).status is Status.DEAD, "text was not refused for its richness"
    assert judge(OFFENDED, record(form="neutral")).status is Status.DEAD


def test_a_change_of_form_is_a_possible_double() -> None:
    """NT-20, T6: which only at_least_once accepts."""
    unclear = record(ambiguous_since=NOW - MINUTE)
    assert judge(REFUSED, unclear, policy(KEYLESS)).event is Event.FORM_REFUSED
    assert judge(REFUSED, unclear, policy(ONCE)).status is Status.UNKNOWN


def test_a_credential_is_refused_for_good_at_the_third_strike() -> None:
    """NT-17, NT-27, T10: temporary until then, whatever the channel calls it; then skipped under its own code."""
    row, by = DestinationRow(b"d" * 32, "bot", "…"), policy()
    ends = []
    for result in (UNSIGNED, replace(UNSIGNED, outcome=Outcome.PERMANENT_FAIL), UNSIGNED):
        after = destination.after(row, (), result, by.settings.breaker, NOW, 0.5, sender="x")
        ends.append(judge(result, before=row, after=after))
        row = after
    assert [one.status for one in ends] == [Status.FAILED, Status.FAILED, Status.SKIPPED]
    assert ends[-1].code == Code.SIGN_MISMATCH
    assert row.state == State.DISABLED


def test_what_is_gone_or_was_not_called_is_skipped() -> None:
    """NT-17, NT-27, T10."""
    assert judge(GONE).status is Status.SKIPPED
    none = SendResult(Outcome.SKIPPED, None, Code.SECRET_UNREADABLE)
    assert (judge(none).status, judge(none).code) == (Status.SKIPPED, Code.SECRET_UNREADABLE)


def test_a_refused_recipient_is_dead() -> None:
    """NT-17, T9."""
    assert (judge(NOBODY).status, judge(NOBODY).code) == (Status.DEAD, Code.RECIPIENT_REFUSED)


def test_a_code_that_no_table_knows_is_temporary() -> None:
    """NT-17: a definite refusal, without a class."""
    made = judge(failed(Code.UNRECOGNISED_ANSWER))
    assert (made.status, made.error_class, made.attempt_count) == (Status.FAILED, None, 1)


def test_a_lost_lease_is_ambiguous() -> None:
    """NT-13: recovery hands its open attempt to the same decision."""
    made = judge(lost_lease())
    assert (made.event, made.code, made.ambiguous_since) == (Event.UNCLEAR, Code.SENDING_LEASE_EXPIRED, NOW)
    assert judge(lost_lease(), by=policy(ONCE)).status is Status.UNKNOWN
