"""Pages of a process for probes and scrapers: just enough HTTP/1.1 to answer GET, in the event loop that does the work.

Invariant: a page is made anew for every request and quickly; a loop that does not turn answers nobody, which is what a
liveness probe is to find. A caller that is slow or says too much is cut off, and never holds up the others.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Self

from outrider.core.errors import ConfigurationError

REQUEST_SECONDS: Final = 5.0
REQUEST_BYTES: Final = 8_192
CONNECTIONS_MAX: Final = 64
TEXT: Final = "text/plain; charset=utf-8"
_REASONS: Final = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable",
}  # fmt: skip


class Page(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = TEXT


class HealthServer:
    """Serves `pages` (path → what makes the page) on `port` of every interface, as an async context manager.

    Port 0 takes a free one; `port` says which. Raises ConfigurationError where the port cannot be had.
    """

    def __init__(self, port: int, pages: Mapping[str, Callable[[], Page]]) -> None:
        self.port = port
        self._pages = pages
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        try:
            listening = _listen(self.port)
            self._server = await asyncio.start_server(self._connected, sock=listening, limit=REQUEST_BYTES)
        except OSError as error:
            raise ConfigurationError(f"runtime.health_port: port {self.port} cannot be opened: {error}") from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._open):
                writer.close()
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            writer.close()
            return
        self._open.add(writer)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (TimeoutError, OSError, EOFError, asyncio.LimitOverrunError):
            pass  # it went away, is too slow, or said too much: nobody waits for an answer
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        page = self._page(method, path)
        lines = (
            f"HTTP/1.1 {page.status} {_REASONS[page.status]}",
            f"Content-Type: {page.content_type}",
            f"Content-Length: {len(page.body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
            *(["Allow: GET, HEAD"] if page.status == 405 else []),  # noqa: PLR2004 - HTTP's own numbers
        )
        said = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        return said if method == "HEAD" else said + page.body

    def _page(self, method: str, path: str) -> Page:
        if not path.startswith("/"):
            return Page(400, b"bad request\n")
        if method not in {"GET", "HEAD"}:
            return Page(405, b"only GET and HEAD\n")
        make = self._pages.get(path)
        if make is None:
            return Page(404, b"there is " + ", ".join(self._pages).encode() + b"\n")
        return make()


def _listen(port: int) -> socket.socket:
    """One socket for both families, where the host has both: a free port is then the same for both."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
