"""The way to the socket: to checked addresses only, and noting how far a request got.

Invariant: `Progress.written` turns true before the first byte of a request is handed to the socket, never after, so a failure
with it false proves that nothing was done. Source: spec/notification.md NT-17, NT-43.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Literal

import httpcore2

from outrider.channels.http.wire import Wire
from outrider.ports.http import HttpAnswer

Stage = Literal["resolve", "connect", "tls", "send", "answer"]


class Progress:
    """How far one exchange got."""

    def __init__(self) -> None:
        self.stage: Stage = "resolve"
        self.written = False
        self.ended = False
        """The server closed its side."""
        self.answer: Callable[[], HttpAnswer] | None = None
        """The answer as far as it came, once its head is there."""


class WatchedStream(httpcore2.AsyncNetworkStream):
    """A stream that tells `Progress` what passes, and takes nothing more to send once `ends_at` of the loop is past.

    What is written waits for the first read: head and body of a request leave together.
    """

    def __init__(self, wire: Wire, progress: Progress, ends_at: float) -> None:
        self._wire, self._progress, self._ends_at = wire, progress, ends_at
        self._held = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109  the library's signature
        """Send what waits; read, and note the end."""
        if self._held:
            self._send()
        self._progress.stage = "answer"
        data = await self._wire.read(max_bytes)
        self._progress.ended = not data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109  the same
        """Take it to be sent."""
        self._check_time()
        self._held += buffer

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Begin TLS under the host's own name; its handshake carries nothing of the request."""
        self._progress.stage = "tls"
        await self._wire.secure(context, host)

    async def aclose(self) -> None:
        """Close."""
        self._wire.close()

    def get_extra_info(self, info: str) -> None:
        """Nothing: it is for those who keep connections."""

    def _send(self) -> None:
        """Note, then write: nothing late, even where the loop comes late to its timers (NT-22)."""
        self._check_time()
        self._progress.stage, self._progress.written = "send", True
        self._wire.write(bytes(self._held))
        self._held.clear()

    def _check_time(self) -> None:
        if asyncio.get_running_loop().time() >= self._ends_at:
            raise httpcore2.WriteTimeout


async def connected(addresses: Sequence[str], port: int, ends_at: float, progress: Progress) -> WatchedStream:
    """A connection to the first of these addresses that takes it, each with its share of the time that is left.

    They were checked, so no name is asked for again. Raises OSError.
    """
    progress.stage = "connect"
    failed: OSError = ConnectionError("no address")
    for index, address in enumerate(addresses):
        left = ends_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(left, 0.0) / (len(addresses) - index)):
                return WatchedStream(await Wire.connect(address, port), progress, ends_at)
        except OSError as error:  # a TimeoutError is one
            failed = error
    raise failed
