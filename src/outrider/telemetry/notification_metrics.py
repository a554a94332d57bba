"""Events of notifications as Prometheus metrics: what `MetricsSink` does with them. Source: spec/notification.md §13.

Invariant: what is read from the database replaces what was read before as a whole.
"""

from collections import Counter as Counts
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from outrider.core import events
from outrider.core.notification.codes import Code, ErrorClass
from outrider.core.notification.content import Priority
from outrider.core.notification.request import ORIGINAL, REQUESTED
from outrider.core.notification.totals import Totals
from outrider.telemetry.metric import PREFIX
from outrider.telemetry.notification_metric_list import NOTIFICATION_METRICS

FROM_DATABASE: Final = (events.NotificationTotalsRead,)
ENDS: Final[Mapping[type[events.NotificationEvent], str]] = {
    events.NotificationDead: "dead",
    events.NotificationSkipped: "skipped",
    events.NotificationCanceled: "canceled",
    events.NotificationUnknown: "unknown",
}
UNSAFE: Final = "unsafe_url"
Tell = Callable[[Any], None]


class NotificationMetrics:
    """Counts events of notifications in `made`, the metrics by name."""

    def __init__(self, made: Mapping[str, Any]) -> None:
        self._made = made
        one, requested = self._one, self._requested
        self.told: Mapping[type[events.TelemetryEvent], Tell] = {
            events.NotificationAccepted: self._accepted,
            events.NotificationDuplicate: lambda e: requested(e, e.kind, "duplicate"),
            events.NotificationSuperseded: lambda e: requested(e, e.kind, "duplicate"),
            events.NotificationAttemptFinished: self._attempted,
            events.NotificationSent: self._sent,
            **dict.fromkeys(ENDS, lambda e: self._ended(e, ENDS[type(e)])),
            events.NotificationMerged: lambda e: self._ended(e, "merged", e.members),
            events.NotificationResolved: lambda e: self._ended(e, e.status),
            events.NotificationLateSuccess: self._succeeded_late,
            events.NotificationHeld: self._held,
            events.NotificationLeaseLost: lambda e: one("lease_lost_total", e),
            events.NotificationRecovered: lambda e: one("recovered_total", e),
            events.NotificationFallback: lambda e: one("fallback_total", e, e.channel, e.next_channel),
            events.NotificationReopened: lambda e: one("reopened_total", e),
            events.NotificationReplayed: lambda e: one("replayed_total", e, e.mode),
        }

    def refused(self, event: events.MessageQuarantined) -> None:
        """Count a request that was not understood; its kind is nobody's to trust."""
        if event.type in {REQUESTED, ORIGINAL}:
            self._requested(event, "", "refused")

    def _one(self, name: str, event: events.TelemetryEvent, *labels: str, by: int = 1) -> None:
        self._made[f"notification_{name}"].labels(event.service, *labels).inc(by)

    def _observe(self, name: str, value: float, *labels: str) -> None:
        self._made[f"notification_{name}"].labels(*labels).observe(value)

    def _requested(self, event: events.TelemetryEvent, kind: str, result: str) -> None:
        self._one("requests_total", event, kind, result)

    def _ended(self, event: events.NotificationEvent, status: str, by: int = 1) -> None:
        self._one("ended_total", event, event.channel, status, by=by)

    def _accepted(self, event: events.NotificationAccepted) -> None:
        self._requested(event, event.kind, "accepted")
        if event.fallback_used:
            self._one("fallback_text_total", event)

    def _attempted(self, event: events.NotificationAttemptFinished) -> None:
        self._one("attempts_total", event, event.channel, event.outcome, event.error_class)
        self._observe("attempt_seconds", event.duration, event.service, event.channel)
        if event.error_class == ErrorClass.LIMITED:
            self._one("limited_total", event, event.channel, "provider")
        if event.code == Code.UNRECOGNISED_ANSWER:
            self._one("unrecognised_answer_total", event, event.channel)
        if event.provider_code == UNSAFE:
            self._one("ssrf_refused_total", event, event.channel)

    def _sent(self, event: events.NotificationSent) -> None:
        self._ended(event, "sent")
        priority = Priority(event.priority).name.lower()
        self._observe("accept_to_sent_seconds", event.since_accept, event.service, event.channel, priority)

    def _succeeded_late(self, event: events.NotificationLateSuccess) -> None:
        self._one("late_success_total", event)
        self._ended(event, "sent")

    def _held(self, event: events.NotificationHeld) -> None:
        if event.reason == "rate":
            self._one("limited_total", event, event.channel, "bucket")


class NotificationGauges(Collector):
    """The newest `NotificationTotalsRead` of each service, as metrics."""

    def __init__(self) -> None:
        self._newest: dict[str, Totals] = {}

    def tell(self, event: events.NotificationTotalsRead) -> None:
        """Remember `event`."""
        self._newest[event.service] = event.totals

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Every gauge of notifications, also without a series."""
        made = {
            metric.name.removeprefix("notification_"): GaugeMetricFamily(
                PREFIX + metric.name, metric.help, labels=metric.labels
            )
            for metric in NOTIFICATION_METRICS
            if metric.events == FROM_DATABASE
        }
        for service, totals in tuple(self._newest.items()):
            _add(made, service, totals)
        return made.values()


def _add(made: Mapping[str, GaugeMetricFamily], service: str, totals: Totals) -> None:
    records, held = Counts[tuple[str, str]](), Counts[str]()
    oldest: dict[str, float] = {}
    for one in totals.records:
        records[one.channel, one.status] += one.count
        oldest[one.channel] = max(oldest.get(one.channel, 0.0), one.oldest_due.total_seconds())
        if one.hold is not None:
            held[one.hold] += one.count
    for labels, count in records.items():
        made["records"].add_metric((service, *labels), count)
    for channel, seconds in oldest.items():
        made["oldest_due_seconds"].add_metric((service, channel), seconds)
    for reason, count in held.items():
        made["held"].add_metric((service, reason), count)
    for channel, state, count in totals.destinations:
        made["destinations"].add_metric((service, channel, state), count)
