"""What is the matter with the target, in issues and figures, and what is to be done about it.

Invariant: every issue found is kept, the first decides; the person is told of each critical one, also when nothing can be
offered. Source: spec/scheduling.md ST-24, ST-25.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from steward.domain.candidate import Candidate
from steward.domain.context import Context, Target
from steward.domain.methods import Ways
from steward.domain.room import Room, busy_spans, room
from steward.domain.span import MINUTE, Span, seconds

IssueCode = Literal[
    "target_completed", "target_already_scheduled", "feedback_target_unknown", "no_valid_time_window", "deadline_passed",
    "no_free_slot", "capacity_insufficient", "fragmented_capacity", "can_add_task_pool_to_schedule", "need_makeup_block",
    "can_compress_with_next_dynamic_task",
]  # fmt: skip
Severity = Literal["info", "warning", "critical"]
Action = Literal["close", "ask_user", "notify_only", "select_candidate"]

_SEVERITIES: Final[Mapping[IssueCode, Severity]] = {
    "feedback_target_unknown": "warning",
    "no_valid_time_window": "warning",
    "deadline_passed": "critical",
    "no_free_slot": "critical",
    "capacity_insufficient": "critical",
    "fragmented_capacity": "critical",
}
_CLOSING: Final = frozenset({"target_completed", "target_already_scheduled"})


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is the matter; `evidence` has the figures that show it."""

    issue_id: str
    code: IssueCode
    severity: Severity
    target_id: str | None
    reason: str
    evidence: Mapping[str, Any]
    can_generate_candidate: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """All issues, the primary one first, and the metrics of ST-24 by group."""

    issues: tuple[Issue, ...]
    metrics: Mapping[str, Mapping[str, Any]]

    @property
    def primary(self) -> Issue | None:
        """The issue that decides."""
        return self.issues[0] if self.issues else None


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an observation and its candidates; `reason_code`: `no_issue`, `candidate_available` or the issue."""

    action: Action
    reason_code: str
    primary_issue_code: IssueCode | None
    should_notify: bool
    should_write_preview: bool
    llm_selection_required: bool
    fallback_candidate_id: str | None


def observe(context: Context, ways: Ways | None, *, makeup_exists: bool = False) -> Observation:
    """Everything that is the matter; `ways` searches for the target and is None where there is no target.

    `makeup_exists` says that the unfinished block has a makeup already (ST-27).
    """
    if context.target is None or ways is None:
        return Observation(_issues(["feedback_target_unknown"], None, {}), {"feedback": _feedback(context)})
    target, in_time = context.target, context.in_time
    taken = busy_spans(context.events, context.grid.buffer_minutes)
    whole_window = Span(seconds(context.effective_now), max(seconds(context.effective_now), seconds(context.place_by)))
    free, usable = (room(context.grid, context.zone, span, taken) for span in (whole_window, in_time))
    unit_minutes = 1 if context.grid.term is None else context.grid.term.section_minutes
    needed = -(-target.minutes // unit_minutes)
    codes = _codes(context, ways, usable, needed, makeup_exists=makeup_exists)
    metrics = {
        "target": _target(context, target),
        "window": {
            "unit": free.unit,
            "free": free.free,
            "longest_free": free.longest,
            "usable_before_deadline": usable.free,
            "capacity_gap": max(0, needed - usable.free),
        },
        "feedback": _feedback(context),
    }
    return Observation(_issues(codes, target.id, metrics["window"]), metrics)


def decide(observation: Observation, candidates: Sequence[Candidate]) -> Decision:
    """What to do: nothing, ask, tell, or have a candidate selected."""
    primary = observation.primary
    applicable = [candidate for candidate in candidates if candidate.applicable]
    code = None if primary is None else primary.code
    if code is None or code in _CLOSING:
        return Decision("close", code or "no_issue", code, False, False, False, None)
    if code == "feedback_target_unknown":
        return Decision("ask_user", code, code, True, True, False, "ask_user")
    if code == "no_valid_time_window" or not applicable:
        return Decision("notify_only", code, code, True, True, False, "keep")
    return Decision("select_candidate", "candidate_available", code, True, True, True, applicable[0].candidate_id)


def _codes(context: Context, ways: Ways, usable: Room, needed: int, *, makeup_exists: bool) -> list[IssueCode]:
    """The issues in the order in which they matter."""
    target = ways.target
    if target.task is not None and target.task.status != "open":
        return ["target_completed"]
    if makeup_exists or target.minutes == 0:
        return ["target_already_scheduled"]
    if not ways.board.arrangement.openings:
        return ["no_valid_time_window"]
    found: list[IssueCode] = []
    if target.deadline_at is not None and target.deadline_at <= context.effective_now:
        found.append("deadline_passed")
    elif usable.free == 0:
        found.append("no_free_slot")
    elif not ways.free(ways.minutes, context.in_time):
        found.append("capacity_insufficient" if usable.free < needed else "fragmented_capacity")
    found.append("can_add_task_pool_to_schedule" if target.makeup_for is None else "need_makeup_block")
    if ways.compress() is not None:
        found.append("can_compress_with_next_dynamic_task")
    return found


def _issues(codes: Sequence[IssueCode], target_id: str | None, evidence: Mapping[str, Any]) -> tuple[Issue, ...]:
    return tuple(
        Issue(
            issue_id=f"iss_{number}",
            code=code,
            severity=_SEVERITIES.get(code, "info"),
            target_id=target_id,
            reason=code.replace("_", " "),
            evidence=evidence,
            can_generate_candidate=code not in _CLOSING | {"feedback_target_unknown", "no_valid_time_window"},
        )
        for number, code in enumerate(codes, 1)
    )


def _target(context: Context, target: Target) -> dict[str, Any]:
    deadline = target.deadline_at
    left = None if deadline is None else (seconds(deadline) - seconds(context.effective_now)) // MINUTE
    return {
        "completed": target.task is not None and target.task.status != "open",
        "already_scheduled": target.minutes == 0,
        "deadline_already_passed": left is not None and left <= 0,
        "minutes_to_deadline": left,
        "estimated_minutes": target.minutes,
    }


def _feedback(context: Context) -> dict[str, bool]:
    block = None if context.target is None else context.target.makeup_for
    return {
        "has_feedback": context.trigger_type == "unfinished_feedback",
        "target_known": context.target is not None,
        "elapsed": block is not None and block.end_at <= context.effective_now,
    }
