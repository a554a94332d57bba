"""A telemetry sink that remembers events, so that a test waits for what happens instead of sleeping.

Invariant: every emitted event is kept, in order; waiting also finds one that was emitted before the wait began.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from outrider.core.events import TelemetryEvent

E = TypeVar("E", bound=TelemetryEvent)

WAIT_SECONDS = 10.0
"""How long a wait lasts before it fails: a limit for a hung test, not a delay."""


def _any(_: object) -> bool:
    return True


class EventSink:
    """Collects events, as `ports.telemetry.Telemetry`. Safe from any thread and any event loop."""

    def __init__(self) -> None:
        self._events: list[TelemetryEvent] = []
        self._changed = threading.Condition()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def emit(self, event: TelemetryEvent) -> None:
        """Keep `event` and wake whoever waits."""
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
            waiting = tuple(self._waiting)
        for loop, arrived in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived.set)

    @property
    def events(self) -> tuple[TelemetryEvent, ...]:
        """All events so far, oldest first."""
        with self._changed:
            return tuple(self._events)

    def of(self, kind: type[E], predicate: Callable[[E], bool] = _any, since: int = 0) -> list[E]:
        """The events of this class that fulfil `predicate`, oldest first; `since` skips the first so many of all."""
        return [event for event in self.events[since:] if isinstance(event, kind) and predicate(event)]

    async def wait_for(
        self,
        kind: type[E],
        predicate: Callable[[E], bool] = _any,
        *,
        since: int = 0,
        timeout_seconds: float = WAIT_SECONDS,
    ) -> E:
        """Return the first such event, at once where it came already. Raises TimeoutError naming what did come."""
        arrived = asyncio.Event()
        entry = (asyncio.get_running_loop(), arrived)
        with self._changed:
            self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (found := self.of(kind, predicate, since)):
                    await arrived.wait()
                    arrived.clear()
        except TimeoutError:
            raise TimeoutError(self._said(kind)) from None
        finally:
            with self._changed:
                self._waiting.remove(entry)
        return found[0]

    def wait_for_sync(
        self,
        kind: type[E],
        predicate: Callable[[E], bool] = _any,
        *,
        since: int = 0,
        timeout_seconds: float = WAIT_SECONDS,
    ) -> E:
        """The same for a thread."""

        def arrived() -> list[E]:
            return [e for e in self._events[since:] if isinstance(e, kind) and predicate(e)]

        with self._changed:
            if not self._changed.wait_for(lambda: bool(arrived()), timeout_seconds):
                raise TimeoutError(self._said(kind))
            return arrived()[0]

    def mark(self) -> int:
        """How many events there are: give it as `since` to look only at later ones."""
        with self._changed:
            return len(self._events)

    def clear(self) -> None:
        """Forget all events."""
        with self._changed:
            self._events.clear()

    def _said(self, kind: type[TelemetryEvent]) -> str:
        names = [type(event).__name__ for event in self._events]
        counted = ", ".join(f"{name} x{names.count(name)}" for name in dict.fromkeys(names)) or "nothing"
        return f"no {kind.__name__} as asked for; seen: {counted}"
