"""Metrics of a list in a registry of prometheus-client."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from outrider.telemetry.metric import Metric


class Families:
    """Metrics by their names. A label's values are given in the order of the metric's labels."""

    def __init__(self, registry: CollectorRegistry, prefix: str, metrics: Iterable[Metric]) -> None:
        self._made = {metric.name: make_metric(registry, prefix, metric) for metric in metrics}

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        """Raise a counter."""
        self._of(name, labels).inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Put a value into a histogram."""
        self._of(name, labels).observe(value)

    def put(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._of(name, labels).set(value)

    def _of(self, name: str, labels: tuple[str, ...]) -> Any:  # noqa: ANN401 - a Counter, Gauge or Histogram
        made = self._made[name]
        return made.labels(*labels) if labels else made


def make_metric(registry: CollectorRegistry, prefix: str, metric: Metric) -> Any:  # noqa: ANN401 - the same
    """The metric in the registry, under the prefix."""
    name, labels = prefix + metric.name, metric.labels
    match metric.kind:
        case "counter":
            return Counter(name, metric.help, labels, registry=registry)
        case "gauge":
            return Gauge(name, metric.help, labels, registry=registry)
        case "histogram":
            return Histogram(name, metric.help, labels, registry=registry, buckets=metric.buckets)
