"""Events as Prometheus metrics.

Invariant: an event costs a look-up and an addition; everything read from the database comes as one `GaugesRead`, which
replaces the one before as a whole, so that a scrape never mixes two. Source: spec/outbox.md OB-92.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from outrider.core import events
from outrider.core.gauges import Gauges
from outrider.telemetry import notification_metrics as notifications
from outrider.telemetry.families import Families, make_metric
from outrider.telemetry.metric import PREFIX, Metric
from outrider.telemetry.metric_list import METRICS

SUBSCRIPTIONS: Final = frozenset({"relay", "sweeper"})
"""Readers of the log that are no consumers: what they tell goes under `subscription`."""
FROM_DATABASE: Final = (events.GaugesRead,)
ROWS: Final = ("parked", "dead", "quarantined", "suspects")
_STATUS: Final = {"suspect": "suspects"}


class MetricsSink:
    """Counts events, as `ports.telemetry.Telemetry`, in `registry` (a new one by default). One a registry."""

    content_type: Final = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry(auto_describe=True) if registry is None else registry
        gauges, totals = _Gauges(), notifications.NotificationGauges()
        self.registry.register(gauges)
        self.registry.register(totals)
        read = {FROM_DATABASE, notifications.FROM_DATABASE}
        counted = (metric for metric in METRICS if metric.events not in read)
        self._made = {metric.name: make_metric(self.registry, PREFIX, metric) for metric in counted}
        self._notifications = notifications.NotificationMetrics(self._made)
        one = self._one
        self._told: Mapping[type[events.TelemetryEvent], Callable[[Any], None]] = {
            events.GaugesRead: gauges.tell,
            events.BatchRead: self._read,
            events.PublishAcknowledged: self._acknowledged,
            events.PublishRefused: lambda e: one("published_total", e, e.reader, e.destination, "refused", e.code),
            events.PublishUnknown: self._unknown,
            events.CursorAdvanced: self._advanced,
            events.RetryScheduled: self._retry,
            events.MessageDied: lambda e: self._consumed(e, "dead", e.code),
            events.MessageQuarantined: self._quarantined,
            events.ReceiptRecorded: self._recorded,
            events.DuplicateSkipped: self._duplicate,
            events.HandlerFailed: self._failed,
            events.OrderRegressed: lambda e: one("order_regressed_total", e, e.reader, e.type),
            events.LaneTaken: lambda e: self._held(e, 1),
            events.LaneGivenBack: lambda e: self._held(e, 0),
            events.LeaseLost: self._lost,
            events.MessageSwept: lambda e: one("resent_total", e, e.type),
            events.LogPruned: lambda e: one("pruned_total", e, by=e.rows),
            events.TraceDropped: lambda e: one("trace_dropped_total", e, by=e.messages),
            events.WakeupHeard: lambda e: one("wakeups_total", e),
            events.NotificationTotalsRead: totals.tell,
            **self._notifications.told,
        }

    def emit(self, event: events.TelemetryEvent) -> None:
        """Count `event`, where a metric is fed by it."""
        tell = self._told.get(type(event))
        if tell is not None:
            tell(event)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format, of `content_type`."""
        return generate_latest(self.registry)

    def families(self, prefix: str, metrics: Iterable[Metric]) -> Families:
        """An application's own metrics, exposed with these."""
        return Families(self.registry, prefix, metrics)

    def _one(self, name: str, event: events.TelemetryEvent, *labels: str, by: int = 1) -> None:
        self._made[name].labels(event.service, *labels).inc(by)

    def _read(self, event: events.BatchRead) -> None:
        self._made["batch_messages"].labels(event.service, event.subscription).observe(event.messages)

    def _acknowledged(self, event: events.PublishAcknowledged) -> None:
        self._made["publish_seconds"].labels(event.service, event.subscription).observe(event.duration)
        for destination, messages in event.destinations.items():
            self._one("published_total", event, event.subscription, destination, "acknowledged", "", by=messages)

    def _unknown(self, event: events.PublishUnknown) -> None:
        self._one("published_total", event, event.subscription, "", "unknown", event.code, by=event.messages)

    def _advanced(self, event: events.CursorAdvanced) -> None:
        self._made["advance_seconds"].labels(event.service, event.subscription).observe(event.duration)

    def _retry(self, event: events.RetryScheduled) -> None:
        self._one("retries_total", event, *reader_labels(event.reader), event.type, event.code)
        self._consumed(event, "retry", event.code)

    def _consumed(self, event: events.MessageEvent, outcome: str, code: str = "") -> None:
        if event.reader not in SUBSCRIPTIONS:
            self._one("consumed_total", event, event.reader, event.type, outcome, code)

    def _quarantined(self, event: events.MessageQuarantined) -> None:
        self._consumed(event, "quarantined", event.code)
        self._notifications.refused(event)

    def _recorded(self, event: events.ReceiptRecorded) -> None:
        for name, calls in event.handlers.items():
            self._one("consumed_total", event, event.consumer, name, "handled", "", by=len(calls))
            observe = self._made["handler_seconds"].labels(event.service, event.consumer, name).observe
            for seconds in calls:
                observe(seconds)

    def _duplicate(self, event: events.DuplicateSkipped) -> None:
        self._one("duplicates_total", event, event.reader, event.type)
        self._consumed(event, "duplicate")

    def _failed(self, event: events.HandlerFailed) -> None:
        self._made["handler_seconds"].labels(event.service, event.reader, event.type).observe(event.duration)

    def _held(self, event: events.LaneEvent, value: int) -> None:
        self._made["lease_held"].labels(event.service, event.subscription, event.lane).set(value)

    def _lost(self, event: events.LeaseLost) -> None:
        self._one("lease_lost_total", event, event.subscription)
        self._held(event, 0)


def reader_labels(reader: str) -> tuple[str, str]:
    """A reader as the labels subscription and consumer, of which one is empty."""
    return (reader, "") if reader in SUBSCRIPTIONS else ("", reader)


class _Gauges(Collector):
    """The newest `GaugesRead` of each service, as metrics."""

    def __init__(self) -> None:
        self._newest: dict[str, Gauges] = {}

    def tell(self, event: events.GaugesRead) -> None:
        """Remember `event`."""
        self._newest[event.service] = event.gauges

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Every gauge that is read from the database, also without a series."""
        made = {
            metric.name: GaugeMetricFamily(PREFIX + metric.name, metric.help, labels=metric.labels)
            for metric in METRICS
            if metric.events == FROM_DATABASE
        }
        for service, gauges in tuple(self._newest.items()):
            _add(made, service, gauges)
        return made.values()


def _add(made: Mapping[str, GaugeMetricFamily], service: str, gauges: Gauges) -> None:
    for lane in gauges.lanes:
        place = (service, lane.subscription, str(lane.lane))
        made["backlog_messages"].add_metric(place, lane.backlog)
        made["oldest_age_seconds"].add_metric(place, lane.oldest_age)
    counted: dict[str, Counts[tuple[str, str]]] = {name: Counts({("", ""): 0}) for name in ROWS}
    for line in gauges.rows:
        name = _STATUS.get(line.status, line.status)
        if name in counted:
            counted[name][reader_labels(line.reader)] += line.rows
    for name, lines in counted.items():
        for labels, rows in lines.items():
            made[name].add_metric((service, *labels), rows)
    for destination in gauges.paused:
        made["destination_paused"].add_metric((service, destination), 1)
    for name, value in (
        ("table_bytes", gauges.table_bytes),
        ("snapshot_age_seconds", gauges.snapshot_age),
        ("unconsumed_age_seconds", gauges.unconsumed_age or 0.0),
    ):
        if value is not None:
            made[name].add_metric((service,), value)
