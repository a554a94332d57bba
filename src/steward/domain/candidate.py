"""One possible day: what would change, what the person saw before and would see after, and what it costs.

Invariant: a candidate that can be applied has changes that the checker found nothing against; `keep`, `ask_user`,
`notify_only` and `close` have none. Source: spec/scheduling.md §7, ST-32, ST-33.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from steward.domain.cost import Cost, Draft, Method
from steward.domain.places import SectionPlace
from steward.domain.span import Span, moment_of

CandidateType = Literal[
    "add_task_pool_to_schedule", "create_makeup", "compress_with_next_dynamic_task",
    "keep", "ask_user", "notify_only", "close",
]  # fmt: skip
ChangeType = Literal["add", "create_makeup", "move", "resize"]
EntryStatus = Literal["unchanged", "added", "moved", "resized"]
Risk = Literal["low", "medium", "high"]
Fit = Literal["fit", "tight", "insufficient", "not_applicable"]

APPLICABLE: Final = frozenset({"add_task_pool_to_schedule", "create_makeup", "compress_with_next_dynamic_task"})
SCORE_BEST: Final = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the calendar. `before` is where the event is now, None for what is added; parts count from 1."""

    change_id: str
    type: ChangeType
    event_id: str | None
    before: Span | None
    after: Span
    affected_event_ids: tuple[str, ...]
    edited_allowed: bool
    part_no: int | None = None
    section: SectionPlace | None = None

    @property
    def duration_minutes(self) -> int:
        """Elapsed."""
        return self.after.minutes


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the day before or after."""

    entry_id: str
    source_type: str
    source_id: str
    title: str
    place: Span
    status: EntryStatus
    editable: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is offered. `score` and `risk` are for display; `cost` alone decides; None where nothing is applied."""

    candidate_id: str
    type: CandidateType
    method: Method
    target_id: str | None
    changes: tuple[Change, ...] = ()
    before: tuple[Entry, ...] = ()
    after: tuple[Entry, ...] = ()
    cost: Cost | None = None
    score: int = 0
    risk: Risk = "low"
    capacity_fit: Fit = "not_applicable"
    title: str = ""
    summary: str = ""
    explanation_text: str = ""
    notification_summary: str = ""
    base_version: str = ""
    base: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = True
    source: str = "search"

    @property
    def applicable(self) -> bool:
        """Whether it can be confirmed."""
        return self.type in APPLICABLE

    @property
    def confidence(self) -> float:
        """The score as a share of one."""
        return self.score / SCORE_BEST

    @property
    def valid_until(self) -> datetime | None:
        """The earliest start that it writes: from then on it cannot be confirmed."""
        return moment_of(min(change.after.start for change in self.changes)) if self.changes else None

    def with_base(self, base_version: str, base: Mapping[str, Any]) -> "Candidate":
        """The same over this base: its version, and the parts of which that is the hash."""
        return replace(self, base_version=base_version, base=base)


def candidate_id(method: Method, kind: CandidateType, draft: Draft | None) -> str:
    """`{method}:{target's start in UTC as YYYYMMDDHHMM}`; for what changes nothing its type."""
    return kind if draft is None else f"{method}:{moment_of(draft.parts[0].start):%Y%m%d%H%M}"


def scores(costs: list[Cost]) -> list[int]:
    """100 for the first, then lower with each place and with what is disturbed more, never rising."""
    found: list[int] = []
    for cost in costs:
        first = costs[0]
        more = (cost.late_minutes > first.late_minutes) + (cost.given_up_minutes > first.given_up_minutes)
        lower = found[-1] - 5 - 10 * more - 5 * max(0, cost.changed - first.changed) if found else SCORE_BEST
        found.append(max(1, lower))
    return found
