"""Wake-ups within one process, and what wakes several at once.

A hint goes from whoever committed, on any thread, to listeners in their event loops. Nothing depends on it: a lost one
costs a poll. Source: spec/outbox.md OB-43.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Final, Never

from outrider.core.backoff import OutageBackoff
from outrider.core.errors import StorageError
from outrider.ports.clock import Clock
from outrider.ports.wakeup import Wakeup, WakeupListener

LISTEN_SECONDS: Final = 1.0
"""How long one wait for a hint lasts."""
LISTEN_AGAIN_SECONDS: Final = 1.0
"""The longest wait before listening anew."""


def wakeup_channel(prefix: str) -> str:
    """The name under which a service's log is announced, within a process and to LISTEN."""
    return f"{prefix}outrider"


class InProcessWakeup:
    """Passes hints to the listeners of this process, as `ports.wakeup.Wakeup`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[InProcessListener, ...] = ()

    def wake(self) -> None:
        """Hint every listener."""
        for listener in self._listeners:
            listener.hint()

    def listen(self) -> "InProcessListener":
        """A listener of the running event loop; to be closed."""
        listener = InProcessListener(self)
        with self._lock:
            self._listeners = (*self._listeners, listener)
        return listener

    def forget(self, listener: "InProcessListener") -> None:
        """Hint this one no more."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known is not listener)


class InProcessListener:
    """Waits for a hint, as `ports.wakeup.WakeupListener`. Belongs to the event loop that made it."""

    def __init__(self, source: InProcessWakeup) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._hinted = asyncio.Event()

    def hint(self) -> None:
        """Wake the waiter; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._hinted.set)
        except RuntimeError:  # the loop is closed: nobody waits there any more
            self._source.forget(self)

    async def wait(self, timeout_seconds: float) -> bool:
        """Return True as soon as a hint came (also one from before the call), False after `timeout_seconds`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._hinted.wait()
        except TimeoutError:
            return False
        self._hinted.clear()
        return True

    async def close(self) -> None:
        """Stop listening."""
        self._source.forget(self)


async def keep_listening(
    listen: Callable[[], Awaitable[WakeupListener]], heard: Callable[[], object], clock: Clock
) -> Never:
    """Call `heard` for every hint, for ever; a lost connection is made anew, with growing back-off.

    Every new LISTEN counts as a hint, for what was committed before it hinted nobody here (H12). Source: OB-43.
    """
    backoff = OutageBackoff(LISTEN_AGAIN_SECONDS)
    while True:
        try:
            listener = await listen()
            try:
                heard()
                backoff.reset()
                while True:
                    if await listener.wait(LISTEN_SECONDS):
                        heard()
                        await clock.sleep(0)  # who waited for it goes first: listening on takes its while
            finally:
                await listener.close()
        except StorageError:
            await clock.sleep(backoff.next(clock.chance()))


class SeveralWakeups:
    """Hints each of several, as `ports.wakeup.Wakeup`."""

    def __init__(self, *wakeups: Wakeup) -> None:
        self._wakeups = wakeups

    def wake(self) -> None:
        """Hint all of them."""
        for wakeup in self._wakeups:
            wakeup.wake()


@cache
def in_process(channel: str) -> InProcessWakeup:  # noqa: ARG001 - what the wake-up is kept by
    """The one wake-up of this process for `channel`: where an outbox and a relay that know nothing of each other meet."""
    return InProcessWakeup()
