"""Facts as metrics.

Invariant: a fact costs a look-up and an addition. Source: spec/scheduling.md §17.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from steward.domain.facts import (
    AnswerReplayed,
    ApplyChanged,
    ConfirmEnded,
    DedupeHit,
    Fact,
    ImportEnded,
    JobScanned,
    ModelAsked,
    PreviewMade,
    Repaired,
    SearchEnded,
    Selected,
    StepEnded,
    TablesRead,
    TokensSpent,
    TriggerChanged,
    UndoEnded,
)


class Families(Protocol):
    """Metrics by their names, as Outrider's exporter makes them."""

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        """Raise a counter."""

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Put a value into a histogram."""

    def put(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""


class Counting:
    """Counts facts in `families`, which has the metrics of `metric_list`."""

    def __init__(self, families: Families) -> None:
        self._add, self._observe, self._put = add, observe, _ = families.add, families.observe, families.put
        self._told: Mapping[type[Fact], Callable[[Any], None]] = {
            JobScanned: lambda fact: add("scan_total", fact.code or fact.status),
            TriggerChanged: lambda fact: add("triggers_total", fact.type, fact.source, fact.status),
            DedupeHit: lambda fact: add("dedupe_hits_total", fact.by),
            StepEnded: lambda fact: observe("prepare_seconds", fact.seconds, fact.step),
            SearchEnded: self._searched,
            Selected: lambda fact: add("selection_total", fact.source),
            ModelAsked: lambda fact: observe("llm_seconds", fact.seconds),
            TokensSpent: lambda fact: add("llm_tokens_total", by=fact.tokens),
            PreviewMade: self._made,
            ApplyChanged: lambda fact: add("apply_total", fact.status, fact.code or ""),
            ConfirmEnded: lambda fact: observe("apply_seconds", fact.seconds),
            AnswerReplayed: lambda _: add("replays_total"),
            UndoEnded: lambda fact: add("undo_total", fact.result),
            Repaired: lambda fact: add("reconciler_repairs_total", fact.kind),
            ImportEnded: lambda fact: add("import_total", fact.result),
            TablesRead: self._read,
        }

    def __call__(self, fact: Fact) -> None:
        """Count it, where a metric is fed by it."""
        count = self._told.get(type(fact))
        if count is not None:
            count(fact)

    def _searched(self, fact: SearchEnded) -> None:
        self._observe("search_nodes", fact.nodes)
        self._observe("search_steps", fact.steps)
        self._add("search_incomplete_total", by=0 if fact.complete else 1)

    def _made(self, fact: PreviewMade) -> None:
        self._observe("preview_seconds", fact.seconds)
        for type_, method in fact.candidates:
            self._add("candidates_total", type_, method)

    def _read(self, fact: TablesRead) -> None:
        for status, count in fact.jobs.items():
            self._put("jobs", count, status)
        for status, count in fact.previews.items():
            self._put("previews", count, status)
        self._put("scan_lag_seconds", fact.scan_lag_seconds)
