"""Steward's metrics and facts as tables: the page docs/reference/steward_telemetry.md."""

import dataclasses

from outrider.core.events import ApplicationEvent
from outrider.telemetry.logs import name_of
from steward.bootstrap.metric_list import METRICS, PREFIX
from steward.domain import facts
from tools.reference_words import table

BASES = (facts.Fact, facts.Figure)


def fact_classes() -> list[type[facts.Fact]]:
    """The facts, in the order of their file."""
    found = [one for one in vars(facts).values() if isinstance(one, type) and one.__module__ == facts.__name__]
    return [one for one in found if one not in BASES]


def line_of(one: type[facts.Fact]) -> str:
    """The name of its log line."""
    return name_of(ApplicationEvent("steward", one.__new__(one)))


def telemetry_tables() -> str:
    """Each metric with its labels and the facts that feed it; then each fact."""
    metrics = [
        (
            f"`{PREFIX}{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels) or "-",
            one.help,
            ", ".join(f"`{fact.__name__}`" for fact in one.events),
        )
        for one in METRICS
    ]
    rows = [
        (
            f"`{one.__name__}`",
            f"`{line_of(one)}`",
            "debug" if issubclass(one, facts.Figure) else "info" if "level" not in vars(one) else "info, warning",
            ", ".join(f"`{field.name}`" for field in dataclasses.fields(one)),
            " ".join((one.__doc__ or "").split()),
        )
        for one in fact_classes()
    ]
    heads = ("fact", "log line", "level", "fields", "what happened")
    return f"{table(('metric', 'kind', 'labels', 'what it is', 'from'), metrics)}\n{table(heads, rows)}"
