"""Events as metrics: all of the list, fed by the events that say so, and never a key, an id or a text in a label."""

import dataclasses
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, get_type_hints

import pytest
from prometheus_client.parser import text_string_to_metric_families

from outrider.core import events
from outrider.core.gauges import Gauges, LaneGauge
from outrider.core.notification.totals import RecordTotal, Totals
from outrider.core.overview import CountLine
from outrider.telemetry.metric import PREFIX
from outrider.telemetry.metric_list import LABELS, METRICS
from outrider.telemetry.metrics import MetricsSink

LISTED = (
    "backlog_messages oldest_age_seconds published_total publish_seconds batch_messages parked dead quarantined suspects "
    "retries_total destination_paused lease_held lease_lost_total advance_seconds wakeups_total consumed_total "
    "handler_seconds duplicates_total order_regressed_total unconsumed_age_seconds resent_total pruned_total "
    "snapshot_age_seconds trace_dropped_total table_bytes "
    "notification_requests_total notification_attempts_total notification_attempt_seconds notification_ended_total "
    "notification_accept_to_sent_seconds notification_records notification_oldest_due_seconds notification_held "
    "notification_lease_lost_total notification_recovered_total notification_late_success_total "
    "notification_fallback_total notification_fallback_text_total notification_destinations "
    "notification_limited_total notification_reopened_total notification_replayed_total "
    "notification_unrecognised_answer_total notification_ssrf_refused_total"
)
LANE: dict[str, Any] = {"subscription": "relay", "lane": 2, "epoch": 7}
SECRET = "order-17 hunter2"
GAUGES = Gauges(
    lanes=(LaneGauge("relay", 2, 12, 3.5),),
    rows=(
        CountLine(0, "relay", "dead", 4), CountLine(1, "billing", "dead", 2), CountLine(0, "billing", "dead", 1),
        CountLine(1, "billing", "quarantined", 5), CountLine(0, "relay", "parked", 6), CountLine(0, "relay", "waiting", 9),
        CountLine(0, "relay", "suspect", 8),
    ),
    paused=("orders.outbox",),
    table_bytes=8192,
    snapshot_age=61.0,
    unconsumed_age=700.0,
)  # fmt: skip


TOTALS = Totals(
    (
        RecordTotal("bot", "dead", None, 2), RecordTotal("bot", "failed", None, 3, timedelta(minutes=7)),
        RecordTotal("bot", "pending", "quiet", 4), RecordTotal("bot", "pending", None, 5, timedelta(minutes=2)),
        RecordTotal("mail", "pending", "quiet", 1),
    ),
    (("bot", "disabled", 1), ("bot", "closed", 6)),
)  # fmt: skip


def shown(*happened: events.TelemetryEvent) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a scrape by name and labels that say something."""
    sink = MetricsSink()
    for event in happened:
        sink.emit(event)
    return {
        (sample.name.removeprefix(PREFIX), tuple(sorted((k, v) for k, v in sample.labels.items() if v))): sample.value
        for family in text_string_to_metric_families(sink.exposition().decode())
        for sample in family.samples
    }


def told(kind: type[events.NotificationEvent], **fields: Any) -> events.NotificationEvent:  # noqa: ANN401
    return kind("orders", "0000-id", "0001-id", "bot", "reminder", 1, "trace", **fields)


def of(service: str = "orders", **labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"service": service, **labels}.items()))


def message(kind: type[events.MessageEvent], reader: str = "billing", **fields: Any) -> events.MessageEvent:  # noqa: ANN401
    return kind("orders", reader, "00000000-id", "order.placed", "orders.outbox", 17, **fields)


def test_every_metric_of_the_list_is_there_with_labels_of_the_list() -> None:
    """OB-92: exactly these, by exactly these labels."""
    assert [one.name for one in METRICS] == LISTED.split()
    assert {label for one in METRICS for label in one.labels} == LABELS
    text = MetricsSink().exposition().decode()
    for one in METRICS:
        assert re.search(rf"^# HELP {PREFIX}{one.name} \S", text, re.MULTILINE), one.name
        assert f"# TYPE {PREFIX}{one.name} {one.kind}" in text


@pytest.mark.parametrize(
    ("event", "name", "labels", "value"),
    [
        (events.PublishUnknown("orders", **LANE, messages=7, code="publish.timeout", backoff=0.1), "published_total",
         of(subscription="relay", outcome="unknown", code="publish.timeout"), 7),
        (message(events.PublishRefused, "relay", code="publish.too_large"), "published_total",
         of(subscription="relay", destination="orders.outbox", outcome="refused", code="publish.too_large"), 1),
        (events.BatchRead("orders", **LANE, messages=500, last_id=9, duration=0.1), "batch_messages_sum",
         of(subscription="relay"), 500),
        (events.CursorAdvanced("orders", **LANE, messages=3, last_id=9, passed=3, duration=0.25), "advance_seconds_sum",
         of(subscription="relay"), 0.25),
        (message(events.RetryScheduled, code="handler.failed"), "retries_total",
         of(consumer="billing", type="order.placed", code="handler.failed"), 1),
        (message(events.RetryScheduled, code="handler.failed"), "consumed_total",
         of(consumer="billing", type="order.placed", outcome="retry", code="handler.failed"), 1),
        (message(events.RetryScheduled, "relay", code="publish.refused"), "retries_total",
         of(subscription="relay", type="order.placed", code="publish.refused"), 1),
        (message(events.MessageDied, code="handler.rejected"), "consumed_total",
         of(consumer="billing", type="order.placed", outcome="dead", code="handler.rejected"), 1),
        (message(events.MessageQuarantined, code="type.unknown"), "consumed_total",
         of(consumer="billing", type="order.placed", outcome="quarantined", code="type.unknown"), 1),
        (message(events.DuplicateSkipped), "duplicates_total", of(consumer="billing", type="order.placed"), 1),
        (message(events.HandlerFailed, duration=2.0), "handler_seconds_sum", of(consumer="billing", type="order.placed"), 2),
        (message(events.OrderRegressed), "order_regressed_total", of(consumer="billing", type="order.placed"), 1),
        (message(events.MessageSwept, "sweeper"), "resent_total", of(type="order.placed"), 1),
        (events.LaneTaken("orders", **LANE, owner="h/b/1", starts=0), "lease_held", of(subscription="relay", lane="2"), 1),
        (events.LaneGivenBack("orders", **LANE, reason="drain"), "lease_held", of(subscription="relay", lane="2"), 0),
        (events.LeaseLost("orders", **LANE, reason=SECRET), "lease_lost_total", of(subscription="relay"), 1),
        (events.LogPruned("orders", "outbox_message", 5000, 0.1), "pruned_total", of(), 5000),
        (events.TraceDropped("orders", 3), "trace_dropped_total", of(), 3),
        (events.WakeupHeard("orders"), "wakeups_total", of(), 1),
        (told(events.NotificationAccepted), "notification_requests_total", of(kind="reminder", result="accepted"), 1),
        (told(events.NotificationAccepted, fallback_used=True), "notification_fallback_text_total", of(), 1),
        (told(events.NotificationDuplicate), "notification_requests_total", of(kind="reminder", result="duplicate"), 1),
        (told(events.NotificationSuperseded), "notification_requests_total", of(kind="reminder", result="duplicate"), 1),
        (events.MessageQuarantined("orders", "notification", "id", "notification.requested", "t", code="body.invalid"),
         "notification_requests_total", of(result="refused"), 1),
        (told(events.NotificationAttemptFinished, outcome="unknown", error_class="ambiguous", code="connection_lost"),
         "notification_attempts_total", of(channel="bot", outcome="unknown", **{"class": "ambiguous"}), 1),
        (told(events.NotificationAttemptFinished, outcome="success", duration=0.5), "notification_attempt_seconds_sum",
         of(channel="bot"), 0.5),
        (told(events.NotificationAttemptFinished, error_class="limited"), "notification_limited_total",
         of(channel="bot", source="provider"), 1),
        (told(events.NotificationHeld, reason="rate"), "notification_limited_total", of(channel="bot", source="bucket"), 1),
        (told(events.NotificationAttemptFinished, code="unrecognised_answer", provider_code="77"),
         "notification_unrecognised_answer_total", of(channel="bot"), 1),
        (told(events.NotificationAttemptFinished, code="invalid_url", provider_code="unsafe_url"),
         "notification_ssrf_refused_total", of(channel="bot"), 1),
        (told(events.NotificationSent, priority=0, since_accept=2.5), "notification_accept_to_sent_seconds_sum",
         of(channel="bot", priority="urgent"), 2.5),
        (told(events.NotificationSent), "notification_ended_total", of(channel="bot", status="sent"), 1),
        (told(events.NotificationDead), "notification_ended_total", of(channel="bot", status="dead"), 1),
        (told(events.NotificationSkipped), "notification_ended_total", of(channel="bot", status="skipped"), 1),
        (told(events.NotificationCanceled), "notification_ended_total", of(channel="bot", status="canceled"), 1),
        (told(events.NotificationUnknown), "notification_ended_total", of(channel="bot", status="unknown"), 1),
        (told(events.NotificationMerged, members=4), "notification_ended_total", of(channel="bot", status="merged"), 4),
        (told(events.NotificationResolved, status="dead"), "notification_ended_total", of(channel="bot", status="dead"), 1),
        (told(events.NotificationLateSuccess), "notification_ended_total", of(channel="bot", status="sent"), 1),
        (told(events.NotificationLateSuccess), "notification_late_success_total", of(), 1),
        (told(events.NotificationLeaseLost), "notification_lease_lost_total", of(), 1),
        (told(events.NotificationRecovered), "notification_recovered_total", of(), 1),
        (told(events.NotificationFallback, next_channel="mail"), "notification_fallback_total",
         of(**{"from": "bot", "to": "mail"}), 1),
        (told(events.NotificationReopened), "notification_reopened_total", of(), 1),
        (told(events.NotificationReplayed, mode="resend"), "notification_replayed_total", of(mode="resend"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, events.TelemetryEvent) else None,
)  # fmt: skip
def test_an_event_moves_its_metric(
    event: events.TelemetryEvent, name: str, labels: tuple[tuple[str, str], ...], value: float
) -> None:
    """OB-92, OB-93: a metric without an event behind it does not exist."""
    assert shown(event)[name, labels] == value


def test_what_was_acknowledged_is_counted_by_destination() -> None:
    """OB-92: one batch may go to several topics."""
    found = shown(
        events.PublishAcknowledged(
            "orders", **LANE, messages=5, last_id=9, duration=0.02, destinations={"a": 3, "b": 2}
        )
    )
    assert found["published_total", of(subscription="relay", destination="a", outcome="acknowledged")] == 3
    assert found["published_total", of(subscription="relay", destination="b", outcome="acknowledged")] == 2
    assert found["publish_seconds_count", of(subscription="relay")] == 1


def test_each_call_of_a_handler_is_timed_by_type() -> None:
    """OB-92: a batch of several types is several series."""
    calls = {"order.placed": (0.1, 0.2), "order.counted": (1.5,)}
    found = shown(events.ReceiptRecorded("orders", "billing", 3, ("1", "2", "3"), 2.0, calls))
    assert found["consumed_total", of(consumer="billing", type="order.placed", outcome="handled")] == 2
    assert found["handler_seconds_count", of(consumer="billing", type="order.placed")] == 2
    assert found["handler_seconds_sum", of(consumer="billing", type="order.counted")] == 1.5


def test_gauges_are_what_was_measured_last_and_nothing_of_before() -> None:
    """OB-92: a pause that ended and a row that was replayed are gone from the next scrape."""
    found = shown(events.GaugesRead("orders", GAUGES, 0.1))
    lane = of(subscription="relay", lane="2")
    assert (found["backlog_messages", lane], found["oldest_age_seconds", lane]) == (12, 3.5)
    assert found["dead", of(subscription="relay")] == 4
    assert found["dead", of(consumer="billing")] == 3
    assert found["quarantined", of(consumer="billing")] == 5
    assert (found["parked", of(subscription="relay")], found["suspects", of(subscription="relay")]) == (6, 8)
    assert found["destination_paused", of(destination="orders.outbox")] == 1
    assert (found["table_bytes", of()], found["snapshot_age_seconds", of()]) == (8192, 61)
    assert found["unconsumed_age_seconds", of()] == 700
    after = shown(events.GaugesRead("orders", GAUGES, 0.1), events.GaugesRead("orders", Gauges(), 0.1))
    assert after == {
        (name, of()): 0 for name in ("dead", "parked", "quarantined", "suspects", "unconsumed_age_seconds")
    }


def test_totals_of_notifications_are_what_was_counted_last() -> None:
    """NT §13: records, ages, holds and destinations by channel; a hold hides no age and has none."""
    found = shown(events.NotificationTotalsRead("orders", TOTALS, 0.1))
    assert found["notification_records", of(channel="bot", status="pending")] == 9
    assert found["notification_oldest_due_seconds", of(channel="bot")] == 420
    assert found["notification_oldest_due_seconds", of(channel="mail")] == 0
    assert found["notification_held", of(reason="quiet")] == 5
    assert found["notification_destinations", of(channel="bot", state="disabled")] == 1
    empty = events.NotificationTotalsRead("orders", Totals((), ()), 0.1)
    assert shown(events.NotificationTotalsRead("orders", TOTALS, 0.1), empty) == {}


SAYING: dict[str, dict[str, Any]] = {
    "notification_requests_total": {"type": "notification.requested"},
    "notification_fallback_text_total": {"fallback_used": True},
    "notification_limited_total": {"error_class": "limited", "reason": "rate"},
    "notification_unrecognised_answer_total": {"code": "unrecognised_answer"},
    "notification_ssrf_refused_total": {"provider_code": "unsafe_url"},
}
"""What an event must say to move a metric that counts some of its kind alone."""


def test_every_event_that_a_metric_names_moves_it() -> None:
    """OB-92: the list says what feeds each metric; nothing else in it is invented."""
    for metric in METRICS:
        for kind in metric.events:
            fields = {field.name for field in dataclasses.fields(kind)}
            said = {name: text for name, text in SAYING.get(metric.name, {}).items() if name in fields}
            event = dataclasses.replace(filled(kind), **said)
            assert any(name.startswith(metric.name) for name, _ in shown(event)), (metric.name, kind)


def test_no_label_is_a_key_an_id_or_a_text() -> None:
    """OB-92, OB-95: whatever text an event carries beside what the labels name never reaches a scrape."""
    for kind in vars(events).values():
        if isinstance(kind, type) and issubclass(kind, events.TelemetryEvent) and kind is not events.TelemetryEvent:
            sink = MetricsSink()
            sink.emit(filled(kind))
            assert SECRET not in sink.exposition().decode(), kind


NAMED = {"service", "subscription", "reader", "consumer", "type", "destination", "code"}
OF_NOTIFICATIONS = NAMED | {"channel", "kind", "outcome", "error_class", "status", "mode", "reason", "next_channel"}


def filled(kind: type[events.TelemetryEvent]) -> events.TelemetryEvent:
    """An event with a secret in every text that no label is made of."""
    hints = get_type_hints(kind)
    named = OF_NOTIFICATIONS if issubclass(kind, events.NotificationEvent) else NAMED
    fields = dataclasses.fields(kind)
    values: dict[str, Any] = {field.name: value(field.name, hints[field.name], named) for field in fields}
    return kind(**values)


def value(name: str, hint: object, named: set[str]) -> object:
    if name == "reader":
        return "billing"
    if name == "handlers":
        return {"order.placed": (0.5,)} if hint == Mapping[str, tuple[float, ...]] else (SECRET,)
    known: dict[object, object] = {
        str: "text" if name in named else SECRET, int: 1, int | None: 1, float: 0.5, float | None: 0.5, bool: True,
        tuple[str, ...]: (SECRET,), Mapping[str, int]: {"orders.outbox": 1}, Gauges: GAUGES, Any: GAUGES,
        Totals: TOTALS, events.Level: "info",
    }  # fmt: skip
    return known[hint]
