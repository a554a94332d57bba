"""What was found and decided, as it is stored with a preview and shown by a dry run (ST-23 to ST-26, ST-33)."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from steward.domain.candidate import Candidate
from steward.domain.candidate_json import candidates_as_json
from steward.domain.context import Context
from steward.domain.event import Event
from steward.domain.observation import Decision, Issue, Observation
from steward.domain.selection import Selection
from steward.domain.suggestion import Suggestion
from steward.ports.rows.suggestion import TriggerRow
from steward.service.instants import instant_text, optional_text


def context_summary(
    context: Context, trigger: TriggerRow, found: Suggestion, selection: Selection | None = None
) -> dict[str, Any]:
    """The summary of ST-23; its trace steps say what each step had to do with."""
    target = context.target
    return {
        "user_id": context.profile.user_id,
        "zone": context.profile.zone,
        "trigger_source": context.trigger_source,
        "requested_at": instant_text(trigger.requested_at),
        "real_now": instant_text(context.real_now),
        "effective_now": instant_text(context.effective_now),
        "is_mock_time": trigger.is_mock_time,
        "window_start": instant_text(context.effective_now),
        "window_end": instant_text(context.place_by),
        "window_reason": context.window_reason,
        "target_type": trigger.target_type,
        "target_id": None if target is None else target.id,
        "target_title": None if target is None else target.title,
        "target_deadline_at": None if target is None else optional_text(target.deadline_at),
        "missing_info": ["target"] if target is None else [],
        "warnings": list(context.warnings),
        "trace_steps": _steps(context, found, selection),
    }


def observation_view(observation: Observation) -> dict[str, Any]:
    """Issues and metrics of ST-24."""
    return {"issues": issues_view(observation.issues), "metrics": metrics_view(observation)}


def issues_view(issues: Sequence[Issue]) -> list[dict[str, Any]]:
    """The issues, the primary one first."""
    return [{**asdict(issue), "evidence": dict(issue.evidence)} for issue in issues]


def metrics_view(observation: Observation) -> dict[str, Any]:
    """The figures by group."""
    return {group: dict(figures) for group, figures in observation.metrics.items()}


def decision_view(decision: Decision) -> dict[str, Any]:
    """The decision of ST-25."""
    return asdict(decision)


def selection_view(selection: Selection) -> dict[str, Any]:
    """The choice, and whether a model was to make it and did not."""
    return {**asdict(selection), "fallback_used": selection.fallback_used}


def candidates_view(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Each candidate as it is stored."""
    return list(candidates_as_json(candidates)["items"])


def choices_view(choices: Sequence[Event]) -> list[dict[str, Any]]:
    """The blocks that a person may have meant (ST-52)."""
    return [
        {
            "choice_id": event.event_id,
            "title": event.title,
            "start_at": instant_text(event.start_at),
            "end_at": instant_text(event.end_at),
        }
        for event in choices
    ]


def _steps(context: Context, found: Suggestion, selection: Selection | None) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [
        {"step": "load", "events": len(context.events), "tasks": len(context.tasks)},
        {"step": "observe", "issues": [issue.code for issue in found.observation.issues]},
        {"step": "offer", "candidates": [candidate.candidate_id for candidate in found.candidates]},
    ]
    if found.found is not None:
        search = {"nodes": found.found.nodes, "steps": found.found.steps, "complete": found.found.complete}
        steps.append({"step": "search", **search})
    if found.solved is not None:
        steps.append({"step": "solve", "moved": found.solved.answer.moved, "complete": found.solved.complete})
    if selection is not None:
        steps.append({"step": "select", "source": selection.source, "candidate_id": selection.candidate_id})
    return steps
