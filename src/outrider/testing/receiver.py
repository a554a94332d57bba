"""A receiver of webhooks on a port of this machine, over real HTTP, that answers as it is told."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

HEAD_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came; header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """Answers each request with the next of `answers`, bytes as they stand on the wire, and with 200 where none is left.

    None among them closes the connection instead, after the request was read.
    """

    def __init__(self) -> None:
        self.answers: deque[bytes | None] = deque()
        self.received: list[Received] = []
        self.port = 0

    @property
    def place(self) -> str:
        """`127.0.0.1:PORT`, as `ssrf.allow` names it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it takes requests."""
        return f"http://{self.place}/hooks/c4n4ry-path-0123"

    def status(self, status: int, headers: str = "", body: bytes = b"") -> None:
        """Answer one more request with this status."""
        head = f"HTTP/1.1 {status} Told\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.answers.append(head.encode() + body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            self.received.append(await _read(reader))
            answer = self.answers.popleft() if self.answers else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port, until the block ends."""
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, limit=HEAD_MAX)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    method, path, _ = first.split(" ", 2)
    return Received(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
