"""The metrics of §17, as data: what each is called, what it counts, by which labels, and which facts feed it.

Invariant: a label is a state, a code, a type, a method or a source: never an id, a person or a text.
Source: spec/scheduling.md §17.
"""

from typing import Final

from outrider.bootstrap.running import SECONDS, Metric
from steward.domain.facts import (
    AnswerReplayed,
    ApplyChanged,
    ConfirmEnded,
    DedupeHit,
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

PREFIX: Final = "steward_"
WAITS: Final = (*SECONDS, 60.0, 300.0, 900.0, 3600.0)
NODES: Final = (1.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 2000.0, 5000.0)
STEPS: Final = (10.0, 100.0, 1000.0, 5000.0, 10000.0, 50000.0, 100000.0, 200000.0)

METRICS: Final = (
    Metric("jobs", "gauge", ("status",), "Jobs that are kept, by state.", (TablesRead,)),
    Metric("scan_lag_seconds", "gauge", (), "For how long the longest due job has been due; 0 without one.", (TablesRead,)),
    Metric("scan_total", "counter", ("code",), "Due jobs that were looked at, by what became of them.", (JobScanned,)),
    Metric("triggers_total", "counter", ("type", "source", "status"), "Triggers, by each state that they came to.",
           (TriggerChanged,)),
    Metric("dedupe_hits_total", "counter", ("by",), "Requests for a trigger that was there: by slot or key.", (DedupeHit,)),
    Metric("prepare_seconds", "histogram", ("step",), "A step of a preparation: load, choose, store.", (StepEnded,), SECONDS),
    Metric("search_nodes", "histogram", (), "Nodes of a search for moves.", (SearchEnded,), NODES),
    Metric("search_steps", "histogram", (), "Steps of a search for moves.", (SearchEnded,), STEPS),
    Metric("search_incomplete_total", "counter", (), "Searches that a limit ended.", (SearchEnded,)),
    Metric("candidates_total", "counter", ("type", "method"), "Candidates of the previews that were made.", (PreviewMade,)),
    Metric("selection_total", "counter", ("source",), "Selections: rule, model:NAME or fallback:WHY.", (Selected,)),
    Metric("llm_seconds", "histogram", (), "One call of a model.", (ModelAsked,), WAITS),
    Metric("llm_tokens_total", "counter", (), "Tokens that the model's server counted, both ways.", (TokensSpent,)),
    Metric("previews", "gauge", ("status",), "Previews that are kept, by state.", (TablesRead,)),
    Metric("preview_seconds", "histogram", (), "From a trigger to its preview.", (PreviewMade,), WAITS),
    Metric("apply_total", "counter", ("status", "code"), "Applies, by each state that they came to.", (ApplyChanged,)),
    Metric("apply_seconds", "histogram", (), "A confirm, from the request to its stored answer.", (ConfirmEnded,), SECONDS),
    Metric("replays_total", "counter", (), "Requests that were given the answer kept under their key.", (AnswerReplayed,)),
    Metric("undo_total", "counter", ("result",), "Undos: undone, or the code of the refusal.", (UndoEnded,)),
    Metric("reconciler_repairs_total", "counter", ("kind",), "What the reconciler put right.", (Repaired,)),
    Metric("import_total", "counter", ("result",), "Readings of calendars: imported, unchanged or failed.", (ImportEnded,)),
)  # fmt: skip
