"""What starts, drains and stops: relay, consumer, notifier.

Invariant: a service is in exactly one state, and each call is allowed in some of them only; after a stop it can start
again. Source: spec/outbox.md section 2, OB-44.
"""

import asyncio
from abc import ABC, abstractmethod
from enum import StrEnum

from outrider.core.errors import ServiceStateError
from outrider.runtime.supervisor import start_alone


class ServiceState(StrEnum):
    """Where a service is in its life."""

    STOPPED = "stopped"
    RUNNING = "running"
    DRAINING = "draining"


class Service(ABC):
    """The life of a service around its one piece of work, `_serve`. One event loop at a time."""

    role: str = "service"

    def __init__(self) -> None:
        self._state = ServiceState.STOPPED
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> ServiceState:
        """Where the service is; one whose work ended or failed by itself is stopped."""
        if self._task is not None and self._task.done():
            return ServiceState.STOPPED
        return self._state

    @property
    def ready(self) -> bool:
        """Whether the service takes work: false from the moment it is told to stop (OB-44)."""
        return self.state is ServiceState.RUNNING

    @property
    def hindrance(self) -> str | None:
        """What keeps the service from its work at present, in a word or two; None where it works or stands by."""
        match self.state:
            case ServiceState.STOPPED:
                return "stopped"
            case ServiceState.DRAINING:
                return "draining"
            case ServiceState.RUNNING:
                return self._hindrance()

    async def start(self) -> None:
        """Begin to work in the background. Raises ServiceStateError unless it is stopped."""
        self._check_stopped("start")
        self._state = ServiceState.RUNNING
        self._forget_stop()
        self._task = start_alone(self._serve(), self.role)

    async def run(self) -> None:
        """Start and work until told to stop or cancelled; raises what ended the work. A cancelled run stops at once."""
        await self.start()
        await self.wait()

    async def wait(self) -> None:
        """Wait until the work has ended; raises what ended it. Cancelling the wait cancels the work."""
        if self._task is None:
            raise ServiceStateError(f"{self.role} was never started")
        await self._task

    async def stop(self, timeout_seconds: float) -> bool:
        """Drain, and cancel what is left after `timeout_seconds`. Says whether all in-flight work was done in time.

        Raises ServiceStateError unless it runs; what had ended the work already is raised by `run` and `wait` alone.
        """
        if self._task is None or self._state is not ServiceState.RUNNING:
            raise ServiceStateError(f"{self.role} is {self.state}, so it cannot stop")
        self._state = ServiceState.DRAINING
        self._drain(timeout_seconds)
        done, _ = await asyncio.wait((self._task,), timeout=timeout_seconds)
        if not done:
            self._task.cancel()
            await asyncio.wait((self._task,))
        self._state = ServiceState.STOPPED
        failed = not self._task.cancelled() and self._task.exception() is not None
        return bool(done) and not failed

    def _check_stopped(self, verb: str) -> None:
        if self.state is not ServiceState.STOPPED:
            raise ServiceStateError(f"{self.role} is {self.state}, so it cannot {verb}")

    def _forget_stop(self) -> None:  # noqa: B027 - only a service that remembers a stop has something to forget
        """Forget an earlier stop; called before the work begins, so that a stop right after a start is not lost."""

    def _hindrance(self) -> str | None:
        """What keeps the running service from its work."""
        return None

    @abstractmethod
    async def _serve(self) -> None:
        """Work until drained. Its end is the end of the service."""

    @abstractmethod
    def _drain(self, timeout_seconds: float) -> None:
        """Tell the work to take nothing new, to end what is in flight within `timeout_seconds`, and to return."""
