"""How a peer's worker is timed: from its first handler call until all is handled, or until its time is up."""

import asyncio
import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop


class Drain:
    """Counts handler calls; `call` is all that the empty handler does."""

    def __init__(self, messages: int, seconds: float) -> None:
        self._messages = messages
        self._seconds = seconds
        self._handled = 0
        self._began = 0.0
        self._ended = 0.0
        self._first = asyncio.Event()
        self._done = asyncio.Event()

    def call(self) -> None:
        """Count one message."""
        if not self._handled:
            self._began = time.monotonic()
            self._first.set()
        self._handled += 1
        if self._handled >= self._messages:
            self._done.set()

    async def over(self) -> None:
        """Wait for the end: everything handled, or the time up."""
        await self._first.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), self._seconds)
        self._ended = time.monotonic()

    def result(self) -> dict[str, Any]:
        """Messages a second, and how many there were."""
        return {"rate": self._handled / (self._ended - self._began), "handled": self._handled}


Worker = Callable[[str, Drain, dict[str, Any]], Awaitable[None]]
Fill = Callable[[str, int], Coroutine[Any, Any, None]]


def main(fill: Fill, work: Worker) -> None:
    """One process of a peer: with `fill` it puts so many messages, else the worker runs with `settings`.

    Prints what came of it.
    """
    arguments = json.loads(sys.argv[1])
    if count := arguments.get("fill"):
        asyncio.run(fill(arguments["database"], count))
        print(json.dumps({"filled": count}), flush=True)
        return
    settings = dict(arguments["settings"])
    factory = uvloop.new_event_loop if settings.pop("uvloop", False) else asyncio.new_event_loop

    async def run() -> dict[str, Any]:
        drain = Drain(arguments["messages"], arguments["seconds"])
        task = asyncio.ensure_future(work(arguments["database"], drain, settings))
        over = asyncio.ensure_future(drain.over())
        await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
        if not over.done():
            await task  # raises what ended it; a worker does not end before its messages do
            raise RuntimeError("the worker ended before its messages did")
        return drain.result()

    gc.collect()
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(run())), flush=True)
        os._exit(0)  # what a peer's shutdown would still do is not measured
