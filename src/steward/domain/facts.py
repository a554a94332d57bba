"""What telemetry is told of Steward's work, as frozen values: ids, states, codes and figures.

Invariant: none holds a title, a note, an address, a token or a text that a person or a model wrote. Log lines and metrics are
made of these and of nothing else; docs/reference/steward-metrics.md has the list. Source: spec/scheduling.md §17.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
StepName = Literal["load", "choose", "store"]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. Seconds are elapsed ones; None where there is nothing to say."""

    @property
    def level(self) -> Level:
        """Of its log line: info for a change of state, debug for a figure, more where something went wrong."""
        return "info"


@dataclass(frozen=True, slots=True)
class Figure(Fact):
    """Something that was measured or counted, and changed nothing that is not told of by itself."""

    @property
    def level(self) -> Level:
        """For the metrics."""
        return "debug"


@dataclass(frozen=True, slots=True)
class JobChanged(Fact):
    """A job was added, cancelled or taken up again, by its task's edit or by the reconciler."""

    job_id: str
    status: str
    code: str | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class JobScanned(Fact):
    """A due job was looked at; `code` says why it led to no new trigger."""

    job_id: str
    status: str
    code: str | None
    trigger_id: str | None
    trace_id: str | None

    @property
    def level(self) -> Level:
        """Where the database failed, a warning."""
        return "warning" if (self.code or "").endswith("_failed") else "info"


@dataclass(frozen=True, slots=True)
class TriggerChanged(Fact):
    """A trigger was made, or came to another state; `attempt` counts its preparations."""

    trigger_id: str
    type: str
    source: str
    status: str
    trace_id: str
    code: str | None = None
    attempt: int = 0

    @property
    def level(self) -> Level:
        """What failed or could not be believed is a warning."""
        return "warning" if self.status in {"failed", "rejected"} else "info"


@dataclass(frozen=True, slots=True)
class DedupeHit(Fact):
    """What was asked for was there already, found by its dedupe `slot` or its idempotency `key`."""

    trigger_id: str
    by: Literal["slot", "key"]
    trace_id: str


@dataclass(frozen=True, slots=True)
class StepEnded(Figure):
    """One step of a preparation, as the trigger's preparer did it."""

    trigger_id: str
    trace_id: str
    step: StepName
    seconds: float


@dataclass(frozen=True, slots=True)
class SearchEnded(Figure):
    """A search for moves; not `complete` where a limit ended it (ST-31)."""

    trigger_id: str
    trace_id: str
    nodes: int
    steps: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Selected(Figure):
    """A candidate was selected; `source` is `rule`, `model:NAME` or `fallback:WHY`."""

    trigger_id: str
    trace_id: str
    source: str


@dataclass(frozen=True, slots=True)
class PreviewMade(Fact):
    """A preview waits for an answer, `seconds` after its trigger; `candidates` are types and methods."""

    preview_id: str
    trigger_id: str
    trace_id: str
    status: str
    seconds: float
    candidates: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PreviewEnded(Fact):
    """A preview came to its end, or its apply was undone; `reason` is a code of ours."""

    preview_id: str
    trigger_id: str | None
    trace_id: str | None
    status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DialogueChanged(Fact):
    """The dialogue of a trigger, or the one that shows a preview, is in another state."""

    trace_id: str | None
    status: str
    dialogue_id: str | None = None
    trigger_id: str | None = None
    preview_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApplyChanged(Fact):
    """A confirm was answered, or undone."""

    apply_id: str
    preview_id: str
    trigger_id: str
    trace_id: str
    status: str
    code: str | None = None

    @property
    def level(self) -> Level:
        """What the storage failed is a warning."""
        return "warning" if self.status == "failed" else "info"


@dataclass(frozen=True, slots=True)
class ConfirmEnded(Figure):
    """A confirm was answered, whatever the answer."""

    seconds: float


@dataclass(frozen=True, slots=True)
class UndoEnded(Figure):
    """An undo was answered: `undone`, or the code of its refusal."""

    preview_id: str
    result: str


@dataclass(frozen=True, slots=True)
class AnswerReplayed(Figure):
    """A request came again, and was given the answer that was kept."""

    operation: str


@dataclass(frozen=True, slots=True)
class Repaired(Fact):
    """The reconciler put something right; what it changed is told of by itself."""

    kind: str


@dataclass(frozen=True, slots=True)
class ImportEnded(Fact):
    """A calendar from elsewhere was read: `imported`, `unchanged` or `failed`."""

    source_id: str | None
    kind: Literal["file", "feed"]
    result: Literal["imported", "unchanged", "failed"]

    @property
    def level(self) -> Level:
        """A calendar that cannot be read is a warning."""
        return "warning" if self.result == "failed" else "info"


@dataclass(frozen=True, slots=True)
class ModelAsked(Figure):
    """A model was asked once, and answered or not."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TokensSpent(Figure):
    """Tokens that a model's server counted for one call, question and answer together."""

    tokens: int


@dataclass(frozen=True, slots=True)
class TablesRead(Figure):
    """How many jobs and previews are in each state, and for how long the longest due job has been due."""

    jobs: Mapping[str, int]
    previews: Mapping[str, int]
    scan_lag_seconds: float
