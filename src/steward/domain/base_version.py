"""What a candidate stands on, as one text: the calendar around its places, its task, and the person's settings.

Invariant: a change that could spoil the candidate changes its base version; a title, or another day's event, does not.
Source: spec/scheduling.md ST-40.
"""

from collections.abc import Iterable, Mapping, Sequence
from json import loads
from typing import Any, Final

from steward.domain.candidate import Candidate, Change
from steward.domain.event import Event
from steward.domain.hashing import Canonical, hash_of
from steward.domain.span import MINUTE, Span, merged, moment_of
from steward.domain.task import Task

PREFIX: Final = "v1:sha256:"


def base_parts(
    changes: Sequence[Change], events: Iterable[Event], task: Task | None, profile_version: int, buffer_minutes: int
) -> dict[str, Any]:
    """The four parts that are hashed: `windows`, `busy`, `task`, `profile`; `changes` are none of `keep` and `ask_user`."""
    gap = buffer_minutes * MINUTE
    places = [place for change in changes for place in (change.before, change.after) if place is not None]
    windows = merged(Span(place.start - gap, place.end + gap) for place in places)
    touching = [
        event for event in events if event.takes_room and any(event.span.overlaps(window) for window in windows)
    ]
    return {
        "windows": [[moment_of(window.start), moment_of(window.end)] for window in windows],
        "busy": [
            [event.event_id, event.start_at, event.end_at, event.mobility]
            for event in sorted(touching, key=lambda event: event.event_id)
        ],
        "task": None if task is None else [task.task_id, task.status, task.deadline_at, task.duration_minutes],
        "profile": profile_version,
    }


def base_version(parts: Mapping[str, Any], canonical: Canonical) -> str:
    """The version of these parts: `v1:sha256:` and their hash."""
    return PREFIX + hash_of(parts, canonical)


def differences(seen: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """What changed between the two: the events added, gone or moved by id, `task`, `profile`."""
    before, after = ({row[0]: row for row in parts["busy"]} for parts in (seen, now))
    found = [f"event {name}" for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return (*found, *(part for part in ("task", "profile") if seen[part] != now[part]))


def on_base(candidate: Candidate, parts: Mapping[str, Any], canonical: Canonical) -> Candidate:
    """The candidate over these parts, which it keeps as JSON, so that a refusal can say what changed since."""
    return candidate.with_base(base_version(parts, canonical), loads(canonical(parts)))


def changed_since(candidate: Candidate, parts: Mapping[str, Any], canonical: Canonical) -> tuple[str, ...]:
    """What differs between the parts that the candidate keeps and these."""
    return differences(candidate.base, loads(canonical(parts))) if candidate.base else ()
