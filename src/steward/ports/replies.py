"""Who reads a reply that no title settles: a language model, where one is configured.

Invariant: a reader never raises for what a model, its network or its limits did; it names one of the choices, or nothing.
Source: spec/scheduling.md ST-38, ST-52.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from steward.domain.choices import Choice
from steward.domain.profile import Profile


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What was said, when, by whom, and which blocks may be meant. The person's id is for the daily limit alone."""

    text: str
    choices: Sequence[Choice]
    profile: Profile
    now: datetime


class ReplyReader(Protocol):
    """Called with at least one choice, while no transaction is open (ST-3)."""

    async def read(self, request: ReplyRequest) -> str | None:
        """The id of the one choice that is meant; None where none is, or several may be."""
        ...
