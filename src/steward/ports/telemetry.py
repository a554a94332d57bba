"""Where services tell what happened.

Invariant: what a transaction did is told by `Writing.tell`, so that nobody hears of what was taken back; here is told what no
transaction decides. Source: spec/scheduling.md §17.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from steward.domain.facts import Fact

NOTHING: Final = nullcontext()


class Telemetry(Protocol):
    """Takes facts. Callable from any thread."""

    def tell(self, fact: Fact) -> None:
        """Take `fact`. Cheap, never raises."""
        ...

    def seconds(self) -> float:
        """Seconds on a clock that never goes back, to measure how long something took."""
        ...

    def working(self, name: str, trace_id: str, **ids: str) -> AbstractContextManager[None]:
        """A span of this trace around some work, where anybody takes spans (ST-66)."""
        ...


class Unheard:
    """`Telemetry` where nobody listens."""

    def tell(self, fact: Fact) -> None:
        """Forget it."""

    def seconds(self) -> float:
        """No clock is asked where nobody listens."""
        return 0.0

    def working(self, name: str, trace_id: str, **ids: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing is around it."""
        return NOTHING


UNHEARD: Final = Unheard()
