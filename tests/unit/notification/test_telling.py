"""Which event each change of a record gives: names, codes and numbers, never a text."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from outrider.core.events.notifying import (
    NotificationAccepted,
    NotificationCanceled,
    NotificationDead,
    NotificationDestinationClosed,
    NotificationDestinationDisabled,
    NotificationDestinationOpened,
    NotificationDestinationProbed,
    NotificationDuplicate,
    NotificationEvent,
    NotificationFallback,
    NotificationLateSuccess,
    NotificationLeaseLost,
    NotificationMerged,
    NotificationReopened,
    NotificationReplayed,
    NotificationResolved,
    NotificationSent,
    NotificationSkipped,
    NotificationSuperseded,
    NotificationUnknown,
    NotificationUnrecognisedAnswer,
)
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.sending import SendResult
from outrider.notification.destination import DestinationRow, State
from outrider.notification.store.beginning import Begun
from outrider.notification.store.finishing import Finished
from outrider.notification.store.placing import Accepted
from outrider.notification.telling import Telling
from outrider.testing.events import EventSink
from tests.unit.notification.builders import NOW, record

ROW = DestinationRow(b"k", "bot", "https://x/…/abcd...wxyz")


@pytest.fixture
def sink() -> EventSink:
    return EventSink()


@pytest.fixture
def telling(sink: EventSink) -> Telling:
    return Telling(sink, "notification")


@pytest.mark.parametrize(
    ("reused", "superseded", "kind"),
    [
        (False, False, NotificationAccepted),
        (True, False, NotificationDuplicate),
        (True, True, NotificationSuperseded),
    ],
)
def test_a_request_is_accepted_or_answered(
    telling: Telling, sink: EventSink, kind: type[NotificationEvent], *, reused: bool, superseded: bool
) -> None:
    """NT-5: a duplicate says so, and so does one whose content was taken."""
    one = record()
    telling.accepted(Accepted(one, reused, superseded))
    (event,) = sink.of(kind)
    assert (event.service, event.record_id, event.channel) == ("notification", str(one.id), one.channel)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("dead", NotificationDead),
        ("unknown", NotificationUnknown),
        ("skipped", NotificationSkipped),
        ("canceled", NotificationCanceled),
    ],
)
def test_an_end_says_why(telling: Telling, sink: EventSink, status: str, kind: type[NotificationEvent]) -> None:
    """NT §1: every end with its reason, and who tells in its place."""
    one = replace(record(), status=status, last_error_code="expired")
    telling.ended(one, replace(record(), id=UUID(int=7), channel="mail"))
    (event,) = sink.of(kind)
    assert vars_of(event)["code"] == "expired"
    assert sink.of(NotificationFallback)[0].next_channel == "mail"


def test_a_success_says_how_long_it_took(telling: Telling, sink: EventSink) -> None:
    """NT §13: from accept to sent."""
    one = record()
    telling.ended(replace(one, status="sent", sent_at=one.created_at + timedelta(seconds=3)))
    assert sink.of(NotificationSent)[0].since_accept == 3.0


def test_what_a_fenced_owner_learns(telling: Telling, sink: EventSink) -> None:
    """NT-11, NT-14: the lease is lost, and a late success is one."""
    one = record()
    telling.finished(one, Finished(one, lease_lost=True))
    telling.finished(one, Finished(one, lease_lost=True, late_success=True))
    telling.lease_lost(one)
    assert (len(sink.of(NotificationLeaseLost)), len(sink.of(NotificationLateSuccess))) == (3, 1)


def test_lists_reopenings_and_switched_off_destinations(telling: Telling, sink: EventSink) -> None:
    """NT-27, NT-30, NT-34: the label is masked, the reason a code."""
    one = record()
    telling.merged(one, 3)
    telling.reopened(one)
    row = replace(ROW, state=State.DISABLED, reason="destination_gone")
    telling.finished(one, Finished(replace(one, status="skipped"), turned=row))
    assert [event.members for event in sink.of(NotificationMerged)] == [3]
    assert len(sink.of(NotificationReopened)) == 1
    (event,) = sink.of(NotificationDestinationDisabled)
    assert (event.label, event.code) == (ROW.label, "destination_gone")


def test_a_breaker_tells_of_each_of_its_states(telling: Telling, sink: EventSink) -> None:
    """NT-24: left alone, tried by one send, taken up again; the label is masked."""
    one = replace(record(), status="failed", last_error_code="provider_5xx", next_retry_at=NOW)
    opened = replace(ROW, state=State.OPEN, blocked_until=NOW + timedelta(seconds=30))
    telling.finished(one, Finished(one, turned=opened))
    telling.begun(Begun(one, "nk1", NOW, (replace(ROW, state=State.HALF_OPEN),)))
    telling.finished(one, Finished(replace(one, status="sent", sent_at=NOW), turned=ROW))
    (left,) = sink.of(NotificationDestinationOpened)
    assert (left.channel, left.label, left.code, left.delay) == ("bot", ROW.label, "provider_5xx", 30.0)
    assert [event.label for event in sink.of(NotificationDestinationProbed)] == [ROW.label]
    assert [event.label for event in sink.of(NotificationDestinationClosed)] == [ROW.label]


def test_an_unrecognised_answer_is_told_of_once_a_day_for_each_code(telling: Telling, sink: EventSink) -> None:
    """NT-17: a definite refusal that no table knows is reported once a day."""
    begun = Begun(record(), "nk1", NOW)
    for code, hours in (("99", 0), ("99", 23), ("98", 23), ("99", 24)):
        result = SendResult(Outcome.TEMPORARY_FAIL, None, Code.UNRECOGNISED_ANSWER, code)
        telling.attempt_finished(replace(begun, started_at=NOW + timedelta(hours=hours)), result, 0.1)
    assert [event.provider_code for event in sink.of(NotificationUnrecognisedAnswer)] == ["99", "98", "99"]


def test_what_a_person_did_is_told_with_its_way(telling: Telling, sink: EventSink) -> None:
    """NT-47, T15, T16: the mode of a replay; what an unknown record became, and who said it."""
    telling.replayed(record(status="pending"), "resend")
    telling.resolved(record(status="dead"), "person")
    assert [event.mode for event in sink.of(NotificationReplayed)] == ["resend"]
    assert [(event.status, event.by) for event in sink.of(NotificationResolved)] == [("dead", "person")]


def vars_of(event: object) -> dict[str, object]:
    return {name: getattr(event, name) for name in type(event).__dataclass_fields__}  # type: ignore[attr-defined]
