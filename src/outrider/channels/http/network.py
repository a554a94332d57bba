"""The way to the socket: to checked addresses only, and noting how far a request got.

Invariant: `Progress.written` turns true before the first byte of a request is handed to the socket, never after, so a failure
with it false proves that nothing was done. Source: spec/notification.md NT-17, NT-43.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, cast

import httpcore2

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
    """A stream that tells `Progress` what passes, and takes nothing more to send once `ends_at` of the loop is past."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream, progress: Progress, ends_at: float) -> None:
        self._stream, self._progress, self._ends_at = stream, progress, ends_at

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  the library's signature
        """Read, and note the end."""
        self._progress.stage = "answer"
        data = await self._stream.read(max_bytes, timeout)
        self._progress.ended = not data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  the same
        """Note, then write: nothing late, even where the loop comes late to its timers (NT-22)."""
        if asyncio.get_running_loop().time() >= self._ends_at:
            raise httpcore2.WriteTimeout
        self._progress.stage, self._progress.written = "send", True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  the same
    ) -> httpcore2.AsyncNetworkStream:
        """Begin TLS under the host's own name; its handshake carries nothing of the request."""
        self._progress.stage = "tls"
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return WatchedStream(stream, self._progress, self._ends_at)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  the library's signature
        """What the socket says of itself."""
        return self._stream.get_extra_info(info)


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to the given addresses, whatever host is asked for: they were checked, its name was not."""

    def __init__(self, addresses: Sequence[str], ends_at: float, progress: Progress) -> None:
        self._addresses, self._ends_at, self._progress = addresses, ends_at, progress
        # pyright sees only what stands for it where anyio is missing
        self._network = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002  only its checked addresses are called
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  the whole exchange has one
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Try one address after the other, each with its share of the time that is left."""
        self._progress.stage = "connect"
        failed: Exception = httpcore2.ConnectError("no address")
        for index, address in enumerate(self._addresses):
            left = self._ends_at - asyncio.get_running_loop().time()
            share = max(left, 0.0) / (len(self._addresses) - index)
            try:
                stream = await self._network.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
            else:
                return WatchedStream(stream, self._progress, self._ends_at)
        raise failed
