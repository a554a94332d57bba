"""Time and chance as a port: services take them as arguments, tests replace them."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The host's clocks. Leases and due times never use it: those are the database's."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        ...

    def boottime(self) -> float:
        """Seconds that also pass while the machine sleeps (CLOCK_BOOTTIME), for local lease deadlines (OB-35)."""
        ...

    def chance(self) -> float:
        """A random number in [0, 1), for jitter."""
        ...

    def random_bytes(self, size: int) -> bytes:
        """Random bytes, for ids."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
