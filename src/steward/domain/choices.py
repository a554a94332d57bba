"""Which blocks a person may have meant, and which one a reply names.

Invariant: a reply is resolved only where it names exactly one of the choices; nothing is guessed.
Source: spec/scheduling.md ST-52.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from steward.domain.event import Event

CHOICES_MAX: Final = 10
BEHIND: Final = timedelta(hours=72)
AHEAD: Final = timedelta(hours=24)


def choices_of(events: Iterable[Event], now: datetime) -> list[Event]:
    """The blocks from 72 hours ago to 24 hours ahead: those that have begun first, the newest first; at most ten."""
    near = [
        event
        for event in events
        if event.is_block and event.takes_room and event.end_at > now - BEHIND and event.start_at < now + AHEAD
    ]
    newest = sorted(near, key=lambda event: (event.start_at, event.event_id), reverse=True)
    return sorted(newest, key=lambda event: event.start_at > now)[:CHOICES_MAX]


def resolve(text: str, choices: Sequence[tuple[str, str]]) -> str | None:
    """The id among (id, title) that a reply names: by itself, or by a title that only one of them has; None otherwise."""
    said = _plain(text)
    if any(name == text.strip() for name, _ in choices):
        return text.strip()
    same = [name for name, title in choices if said and _plain(title) == said]
    if not same:
        same = [name for name, title in choices if _plain(title) and f" {_plain(title)} " in f" {said} "]
    return same[0] if len(same) == 1 else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
