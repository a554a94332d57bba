"""What all lanes of a process look at together: the pauses, read about every half second.

Invariant: a lane that joins has the newest reading at once. Source: spec/outbox.md OB-42.
"""

from typing import Protocol

from outrider.core.pauses import Pauses


class Watching(Protocol):
    """A lane, as the watch tells it."""

    def look(self, pauses: Pauses) -> None:
        """These pauses hold now."""
        ...

    def wake(self) -> None:
        """Something may have been committed."""
        ...


class Watch:
    """The newest pauses, and who wants to know."""

    def __init__(self) -> None:
        self.pauses = Pauses()
        self._lanes: set[Watching] = set()

    def join(self, lane: Watching) -> None:
        """Tell `lane` from now on."""
        self._lanes.add(lane)

    def leave(self, lane: Watching) -> None:
        """Tell it no more."""
        self._lanes.discard(lane)

    def read(self, pauses: Pauses) -> None:
        """The table was read."""
        self.pauses = pauses
        for lane in tuple(self._lanes):
            lane.look(pauses)

    def wake(self) -> None:
        """A hint came."""
        for lane in tuple(self._lanes):
            lane.wake()
