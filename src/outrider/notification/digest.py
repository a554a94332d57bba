"""When messages of one kind wait to go as one list. Source: spec/notification.md NT-34.

Invariant: at most one digest of a channel, recipient and kind is open; what is urgent never waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from outrider.core.notification.content import Priority
from outrider.notification.policy import DigestPolicy

LINES_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class OpenDigest:
    """The open digest of a channel, recipient and kind."""

    id: UUID
    closes_at: datetime


@dataclass(frozen=True, slots=True)
class Joins:
    """The record waits for the open digest."""

    digest: OpenDigest


@dataclass(frozen=True, slots=True)
class Opens:
    """A new digest opens until `closes_at`; `waits`: the record is its first member, else it goes at once."""

    closes_at: datetime
    waits: bool


def placing(
    policy: DigestPolicy, priority: Priority, found: OpenDigest | None, now: datetime, *, pushes: bool
) -> Joins | Opens | None:
    """What a new record does; None: it goes by itself. A found digest whose time has come is no longer joined."""
    if policy.mode == "off" or priority is Priority.URGENT or not pushes:
        return None
    if found is not None and found.closes_at > now:
        return Joins(found)
    return Opens(now + policy.window, waits=policy.mode == "trailing")


def lines(members: Sequence[str], more: str) -> tuple[str, ...]:
    """The lines of a digest, oldest first, at most 50; beyond that the last says how many more there are.

    `more` has the placeholder `{count}`.
    """
    if len(members) <= LINES_MAX:
        return tuple(members)
    shown = members[: LINES_MAX - 1]
    return (*shown, more.replace("{count}", str(len(members) - len(shown))))
