"""A hint that something was committed. It shortens a poll and is never needed for correctness. Source: OB-43."""

from typing import Protocol


class Wakeup(Protocol):
    """Wakes readers after a commit."""

    def wake(self) -> None:
        """Say that messages were committed. Never blocks, never raises, safe from any thread; may be dropped."""
        ...


class WakeupListener(Protocol):
    """Waits for a hint, or for the time to run out."""

    async def wait(self, timeout_seconds: float) -> bool:
        """Return True as soon as a hint came (also one from before the call), False after `timeout_seconds`.

        Raises StorageUnavailable when it cannot listen any more: somebody has to listen anew, and read once in full.
        """
        ...

    async def close(self) -> None:
        """Stop listening."""
        ...
