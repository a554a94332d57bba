"""The bytes of one connection, straight from the event loop.

Invariant: what came is kept in order until it is read, and not much more of it is taken from the socket than was asked for; a
connection that broke says so once what came before has been read.
"""

import asyncio
import ssl
from typing import Final, cast

HELD_MAX: Final = 128 * 1024
"""Bytes that wait to be read, after which the socket is left alone."""


class Wire(asyncio.Protocol):
    """A connection. One reader at a time; what is written goes as fast as the socket takes it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._data = bytearray()
        self._came: asyncio.Future[None] | None = None
        self._over = self._paused = False
        self._error: Exception | None = None

    @classmethod
    async def connect(cls, address: str, port: int) -> "Wire":
        """A new one. Raises OSError."""
        _, wire = await asyncio.get_running_loop().create_connection(cls, address, port)
        return wire

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of the event loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Of the event loop."""
        self._data += data
        if len(self._data) > HELD_MAX and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True
        self._tell()

    def eof_received(self) -> None:
        """Of the event loop, which closes the connection then."""
        self._over = True
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """Of the event loop."""
        self._over, self._error = True, exc
        self._tell()

    async def read(self, max_bytes: int) -> bytes:
        """What there is, waiting for the first of it; empty at the end. Raises OSError where the connection broke."""
        if not self._data and not self._over:
            self._came = asyncio.get_running_loop().create_future()
            try:
                await self._came
            finally:
                self._came = None
        if not self._data and self._error is not None:
            raise self._error
        found = bytes(self._data[:max_bytes])
        del self._data[:max_bytes]
        if self._paused and not self._over and self._transport is not None and len(self._data) <= HELD_MAX:
            self._transport.resume_reading()
            self._paused = False
        return found

    def write(self, data: bytes) -> None:
        """Hand it to the socket."""
        if self._transport is not None:
            self._transport.write(data)

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Begin TLS with a server that must be `host`. Raises OSError."""
        if self._transport is None:
            raise ConnectionError("not connected")
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(self._transport, self, context, server_hostname=host)

    def close(self) -> None:
        """Let go of it at once."""
        if self._transport is not None:
            self._transport.abort()

    def _tell(self) -> None:
        if self._came is not None and not self._came.done():
            self._came.set_result(None)
