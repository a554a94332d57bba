"""Which event each change of a record gives: names, codes and numbers, never a text."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from outrider.core.events.notifying import (
    NotificationAccepted,
    NotificationCanceled,
    NotificationDead,
    NotificationDestinationDisabled,
    NotificationDuplicate,
    NotificationEvent,
    NotificationFallback,
    NotificationLateSuccess,
    NotificationLeaseLost,
    NotificationMerged,
    NotificationReopened,
    NotificationSent,
    NotificationSkipped,
    NotificationSuperseded,
    NotificationUnknown,
)
from outrider.notification.destination import DestinationRow
from outrider.notification.store.accepting import Accepted
from outrider.notification.store.finishing import Finished
from outrider.notification.telling import Telling
from outrider.testing.events import EventSink
from tests.unit.notification.builders import record


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
    telling.merged(one)
    telling.reopened(one)
    row = DestinationRow(b"k", "bot", "https://x/…/abcd...wxyz", reason="destination_gone")
    telling.finished(one, Finished(replace(one, status="skipped"), disabled=row))
    assert len(sink.of(NotificationMerged)) == len(sink.of(NotificationReopened)) == 1
    (event,) = sink.of(NotificationDestinationDisabled)
    assert (event.label, event.code) == ("https://x/…/abcd...wxyz", "destination_gone")


def vars_of(event: object) -> dict[str, object]:
    return {name: getattr(event, name) for name in type(event).__dataclass_fields__}  # type: ignore[attr-defined]
