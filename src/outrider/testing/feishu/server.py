"""The HTTP server: a thread of its own, so that whoever is under test may block, die or use its own event loop.

Invariant: the port stays the same from `start` to `stop`; while refusing nobody listens on it.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from outrider.testing.feishu.script import Fault, FaultKind
from outrider.testing.feishu.wire import Answer, Request, read_request, written

START_SECONDS = 20.0
DRAIN_SECONDS = 0.05
DRAINS_MAX = 100

LAST_DATA_AT = 52
"""Where Linux's TCP_INFO says how many milliseconds ago the last data came."""

Handle = Callable[[Request, float], tuple[Answer, Fault | None]]
"""Takes a request, and for how many seconds it has lain in the socket."""


class Server:
    """Answers each connection's one request by `handle`, spoilt by the fault that it gives.

    `date` writes the Date header; `sleep` waits for a delayed answer. `handle` runs on the server's thread.
    """

    def __init__(
        self, handle: Handle, date: Callable[[], str], sleep: Callable[[float], Coroutine[Any, Any, None]]
    ) -> None:
        self._handle, self._date, self._sleep = handle, date, sleep
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-feishu", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._listening: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError("the fake server did not start")

    def stop(self) -> None:
        """End, with whatever is open."""
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(START_SECONDS)

    def refuse(self) -> None:
        """Stop listening: connections are refused."""
        self._call(self._close())

    def accept(self) -> None:
        """Listen again, on the same port."""
        self._call(self._listen())

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await self._listen()
        self._ready.set()
        await self._end.wait()
        await self._close()
        for _ in range(DRAINS_MAX):
            for writer in self._open:
                writer.transport.abort()
            if not await self._others():
                break

    async def _listen(self) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._listening.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listening is None:
            return
        for listening in self._listening.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        await self._others()  # one that was just accepted would be left open by asyncio, were its server closed now
        self._listening.close()
        self._listening = None

    async def _others(self) -> bool:
        """Let the other tasks go on for a moment; whether there are any."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=DRAIN_SECONDS)
        return bool(others)

    def _call(self, step: Coroutine[Any, Any, None]) -> None:
        if self._loop is None:
            raise RuntimeError("the fake server is not running")
        asyncio.run_coroutine_threadsafe(step, self._loop).result(START_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        self._open.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                request = await read_request(reader, peer[0] if peer else "")
                answer, fault = self._handle(request, _lain(writer))
                await self._answer(reader, writer, answer, fault)
        finally:
            writer.close()
            self._open.remove(writer)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer, fault: Fault | None
    ) -> None:
        whole = written(answer, self._date())
        match fault.kind if fault is not None else None:
            case FaultKind.DROP | FaultKind.LOSE:
                writer.transport.abort()
                return
            case FaultKind.HANG:
                await reader.read()
                return
            case FaultKind.TRUNCATE:
                whole = whole[: len(whole) - max(1, len(answer.body) // 2)]
            case FaultKind.DELAY if fault is not None:
                await self._sleep(fault.seconds)
        writer.write(whole)
        await writer.drain()


def _lain(writer: asyncio.StreamWriter) -> float:
    """For how many seconds the last of what was read had been there, as the kernel knows; 0 where it does not say."""
    connection, info = writer.get_extra_info("socket"), getattr(socket, "TCP_INFO", None)
    if connection is None or info is None:
        return 0.0
    told = connection.getsockopt(socket.IPPROTO_TCP, info, LAST_DATA_AT + 4)
    return float(struct.unpack_from("=I", told, LAST_DATA_AT)[0]) / 1000 if len(told) >= LAST_DATA_AT + 4 else 0.0
