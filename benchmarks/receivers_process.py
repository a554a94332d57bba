"""Receivers of webhooks on one port, as a process: every request is taken; `place` is printed first.

Each connection has one request, as our client makes them.
"""

import asyncio
import contextlib
import json

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LENGTH = b"content-length:"


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request, answer it."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line[len(LENGTH) :] for line in head.lower().split(b"\r\n") if line.startswith(LENGTH)]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        writer.write(ANSWER)
        await writer.drain()
    writer.close()


async def main() -> None:
    """Serve until ended."""
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    print(json.dumps({"place": f"127.0.0.1:{server.sockets[0].getsockname()[1]}"}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
