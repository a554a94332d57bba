"""What Steward's own work is to a process: a service that starts, drains and stops as Outrider's do; and what of Outrider's
the command line needs.

Source: spec/scheduling.md ST-70; spec/outbox.md OB-44.
"""

import asyncio
from collections.abc import Awaitable, Callable

from outrider.bootstrap.running import (
    ConfigurationError,
    OutriderError,
    Service,
    StorageUnavailable,
    Telemetry,
    log_lines,
)
from outrider.bootstrap.settings import seconds

__all__ = [
    "ConfigurationError",
    "Looping",
    "OutriderError",
    "StorageUnavailable",
    "Telemetry",
    "log_lines",
    "seconds",
]


class Looping(Service):
    """Work that goes on until told to stop, ends or gives back what it holds, and returns."""

    def __init__(self, role: str, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        super().__init__()
        self.role = role
        self._work = work
        self._stopping = asyncio.Event()

    def _forget_stop(self) -> None:
        self._stopping = asyncio.Event()

    async def _serve(self) -> None:
        await self._work(self._stopping)

    def _drain(self, timeout_seconds: float) -> None:  # noqa: ARG002 - the service cuts off what takes longer
        self._stopping.set()
