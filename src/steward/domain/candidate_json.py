"""Candidates as they are stored with a preview, and back.

Invariant: what is written reads back equal; a version that this release does not know is refused, so that its preview fails
with a word instead of being half understood. Source: spec/scheduling.md ST-33, §18.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from steward.domain.candidate import Candidate, Change, Entry
from steward.domain.cost import Cost
from steward.domain.errors import ValidationFailed
from steward.domain.places import SectionPlace
from steward.domain.span import Span, moment_of, seconds

VERSION: Final = 1
_AS_THEY_ARE: Final = (
    "candidate_id", "type", "method", "target_id", "score", "risk", "capacity_fit", "title", "summary", "explanation_text",
    "notification_summary", "base_version", "base", "complete", "source",
)  # fmt: skip


def candidates_as_json(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """`{"version": 1, "items": […]}`: whole numbers and texts alone, times as RFC 3339 in UTC."""
    return {"version": VERSION, "items": [_candidate(candidate) for candidate in candidates]}


def candidates_from_json(value: Any) -> tuple[Candidate, ...]:  # noqa: ANN401  JSON is any value
    """The candidates of a stored text. ValidationFailed for an unknown version or a form that is not ours."""
    if not isinstance(value, Mapping) or value.get("version") != VERSION:
        raise ValidationFailed("candidates", f"candidates of version {VERSION}")
    try:
        return tuple(_read(item) for item in value["items"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValidationFailed("candidates", f"candidates in the form of version {VERSION}") from None


def _candidate(candidate: Candidate) -> dict[str, Any]:
    valid_until = candidate.valid_until
    return {
        **{name: getattr(candidate, name) for name in _AS_THEY_ARE},
        "cost": None if candidate.cost is None else candidate.cost._asdict(),
        "valid_until": None if valid_until is None else _text(seconds(valid_until)),
        "validation": {
            "valid": True,
            "reason": "passes every hard constraint" if candidate.changes else "changes nothing",
        },
        "changes": [_change(change) for change in candidate.changes],
        "before": [_entry(entry) for entry in candidate.before],
        "after": [_entry(entry) for entry in candidate.after],
    }


def _read(item: Mapping[str, Any]) -> Candidate:
    return Candidate(
        **{name: item[name] for name in _AS_THEY_ARE},
        cost=None if item["cost"] is None else Cost(**item["cost"]),
        changes=tuple(_read_change(change) for change in item["changes"]),
        before=tuple(_read_entry(entry) for entry in item["before"]),
        after=tuple(_read_entry(entry) for entry in item["after"]),
    )


def _change(change: Change) -> dict[str, Any]:
    return {
        "change_id": change.change_id,
        "change_type": change.type,
        "event_id": change.event_id,
        "from": None if change.before is None else _span(change.before),
        "to": _span(change.after),
        "duration_minutes": change.duration_minutes,
        "affected_event_ids": list(change.affected_event_ids),
        "edited_allowed": change.edited_allowed,
        "part_no": change.part_no,
        "section": None if change.section is None else change.section._asdict(),
    }


def _read_change(value: Mapping[str, Any]) -> Change:
    return Change(
        change_id=value["change_id"],
        type=value["change_type"],
        event_id=value["event_id"],
        before=None if value["from"] is None else _read_span(value["from"]),
        after=_read_span(value["to"]),
        affected_event_ids=tuple(value["affected_event_ids"]),
        edited_allowed=value["edited_allowed"],
        part_no=value["part_no"],
        section=None if value["section"] is None else SectionPlace(**value["section"]),
    )


def _entry(entry: Entry) -> dict[str, Any]:
    start_at, end_at = (_text(second) for second in entry.place)
    return {
        "entry_id": entry.entry_id,
        "source_type": entry.source_type,
        "source_id": entry.source_id,
        "title": entry.title,
        "start_at": start_at,
        "end_at": end_at,
        "status": entry.status,
        "editable": entry.editable,
    }


def _read_entry(value: Mapping[str, Any]) -> Entry:
    return Entry(
        entry_id=value["entry_id"],
        source_type=value["source_type"],
        source_id=value["source_id"],
        title=value["title"],
        place=Span(_second(value["start_at"]), _second(value["end_at"])),
        status=value["status"],
        editable=value["editable"],
    )


def _span(span: Span) -> dict[str, str]:
    return {"start": _text(span.start), "end": _text(span.end)}


def _read_span(value: Mapping[str, str]) -> Span:
    return Span(_second(value["start"]), _second(value["end"]))


def _text(second: int) -> str:
    return f"{moment_of(second):%Y-%m-%dT%H:%M:%SZ}"


def _second(text: str) -> int:
    return seconds(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))
