"""Threads that run blocking work, of which some may never come back.

Invariant: at most `size` threads are in use; one that is written off is replaced and its result forgotten, and it never
keeps the process from exiting. Source: spec/outbox.md OB-69.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class Threads:
    """A pool of daemon threads. One event loop hands work in."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._idle: list[queue.SimpleQueue[Job | None]] = []
        self._in_use: dict[asyncio.Future[Any], queue.SimpleQueue[Job | None]] = {}
        self.written_off = 0
        """How many threads are lost."""

    def submit(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Run `work` in a thread. At most `size` calls at a time: the caller sees to that."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        inbox = self._idle.pop() if self._idle else self._start()
        self._in_use[done] = inbox
        done.add_done_callback(self._returned)
        inbox.put((work, done, loop))
        return done

    def write_off(self, done: "asyncio.Future[Any]") -> None:
        """Forget the thread that works for `done`; it ends by itself if its work ever does."""
        inbox = self._in_use.pop(done, None)
        if inbox is not None:
            self.written_off += 1
            inbox.put(None)
            done.cancel()

    def close(self) -> None:
        """Let idle threads end."""
        while self._idle:
            self._idle.pop().put(None)

    def _start(self) -> "queue.SimpleQueue[Job | None]":
        inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name=self._name, daemon=True).start()
        return inbox

    def _returned(self, done: "asyncio.Future[Any]") -> None:
        inbox = self._in_use.pop(done, None)
        if inbox is None:
            return
        if done.cancelled():  # nobody waits any more, but the thread still works
            inbox.put(None)
        else:
            self._idle.append(inbox)


def _serve(inbox: "queue.SimpleQueue[Job | None]") -> None:
    while (job := inbox.get()) is not None:
        work, done, loop = job
        try:
            result, error = work(), None
        except BaseException as raised:  # noqa: BLE001 - handed over to whoever waits, also what ends a process
            result, error = None, raised
        _hand_over(loop, done, result, error)
        del work, job, result, error


def _hand_over(
    loop: asyncio.AbstractEventLoop, done: "asyncio.Future[Any]", result: object, error: BaseException | None
) -> None:
    def tell() -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    if not loop.is_closed():
        try:
            loop.call_soon_threadsafe(tell)
        except RuntimeError:  # closed in this very moment: nobody waits
            return
