"""What the next calls meet: answers by order, and faults of the way.

Invariant: an entry is used once, in the order in which the entries were added; without one a call is handled as it should be.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from outrider.testing.feishu.wire import Answer

Endpoint = Literal["bot", "app", "flow", "token"]


class FaultKind(StrEnum):
    """What goes wrong on the way."""

    DROP = "drop"
    """The connection ends before the request is looked at."""
    LOSE = "lose"
    """The request is handled, then the connection ends without an answer."""
    DELAY = "delay"
    """The request is handled, the answer comes `seconds` later."""
    HANG = "hang"
    """The request is handled, then nothing comes and nothing ends: a half-open connection."""
    TRUNCATE = "truncate"
    """The request is handled, and half of the answer's body comes."""
    EMPTY = "empty"
    """The request is handled, and `{}` comes."""
    HTML = "html"
    """The request is handled, and a page comes, with 200."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. `handled` False: the request is not carried out, so nobody gets anything."""

    kind: FaultKind
    handled: bool = True
    seconds: float = 0.0


Entry = Fault | Answer | None
Choose = Callable[[Endpoint], Entry]


class Script:
    """Entries by endpoint. None is a call that goes well. When they are used up, `choose` is asked, where it is set."""

    def __init__(self) -> None:
        self._entries: dict[Endpoint, deque[Entry]] = {}
        self.choose: Choose | None = None

    def add(self, endpoint: Endpoint, *entries: Entry) -> None:
        """The next calls of `endpoint` meet these, one each."""
        self._entries.setdefault(endpoint, deque()).extend(entries)

    def next(self, endpoint: Endpoint) -> Entry:
        """Take the next entry."""
        entries = self._entries.get(endpoint)
        if entries:
            return entries.popleft()
        return self.choose(endpoint) if self.choose is not None else None
