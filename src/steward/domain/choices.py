"""Which blocks a person may have meant, and which one a reply names.

Invariant: a reply is resolved only where it names exactly one of the choices; nothing is guessed.
Source: spec/scheduling.md ST-52.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from unicodedata import east_asian_width

from steward.domain.event import Event
from steward.domain.span import Span

CHOICES_MAX: Final = 10
BEHIND: Final = timedelta(hours=72)
AHEAD: Final = timedelta(hours=24)
_WIDE: Final = frozenset("WF")


@dataclass(frozen=True, slots=True)
class Choice:
    """A block that a person may have meant."""

    choice_id: str
    title: str
    place: Span


def choices_of(events: Iterable[Event], now: datetime) -> list[Event]:
    """The blocks from 72 hours ago to 24 hours ahead: those that have begun first, the newest first; at most ten."""
    near = [
        event
        for event in events
        if event.is_block and event.takes_room and event.end_at > now - BEHIND and event.start_at < now + AHEAD
    ]
    newest = sorted(near, key=lambda event: (event.start_at, event.event_id), reverse=True)
    return sorted(newest, key=lambda event: event.start_at > now)[:CHOICES_MAX]


def resolve(text: str, choices: Sequence[Choice]) -> str | None:
    """The id that a reply names: by itself, or by a title that only one choice has; None otherwise."""
    if any(choice.choice_id == text.strip() for choice in choices):
        return text.strip()
    said = _plain(text)
    titled = [(choice.choice_id, title) for choice in choices if (title := _plain(choice.title))]
    same = [name for name, title in titled if title == said] or [name for name, title in titled if _among(title, said)]
    return same[0] if len(same) == 1 else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _among(title: str, said: str) -> bool:
    """Whether the title stands there as words of its own."""
    return any(
        not _one_word(said[: found.start()][-1:], title[0]) and not _one_word(title[-1], said[found.end() :][:1])
        for found in re.finditer(re.escape(title), said)
    )


def _one_word(left: str, right: str) -> bool:
    """Whether neighbours belong to one word; Chinese, written wide, puts nothing between its words."""
    return all(one.isalnum() and east_asian_width(one) not in _WIDE for one in (left, right))
