"""What publishing one message gave. Source: design.md section 5, spec/outbox.md OB-38 and OB-39.

A publisher turns whatever its driver raised into one of these for each message; an unrecognised error is `Unknown`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Refusal(StrEnum):
    """Why a destination refused: this message for ever, this message for now, or the way the destination is set up."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class Refused:
    """The destination answered about *this* message. `code` is stable (`publish.too_large`), `reason` is for people."""

    refusal: Refusal
    code: str
    reason: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer: nothing is decided, nothing is counted, the same id is sent again."""

    code: str
    reason: str


PublishOutcome = Refused | Unknown  # the third, acknowledged, is the absence of an entry in `Published`


@dataclass(frozen=True, slots=True)
class Published:
    """The outcomes of one batch: every row without an entry in `exceptions` (index in the batch) was acknowledged.

    `copies` are those that the broker acknowledged as copies of what it has already, and gave to nobody.
    """

    exceptions: dict[int, PublishOutcome] = field(default_factory=dict)
    copies: frozenset[int] = frozenset()

    @property
    def unknown(self) -> bool:
        """Whether any message of the batch got no answer."""
        return any(isinstance(outcome, Unknown) for outcome in self.exceptions.values())
