"""The pages of a process: answers to GET and HEAD, whoever asks, and nothing that holds up the others."""

import asyncio

import pytest

from outrider.core.errors import ConfigurationError
from outrider.runtime.health import CONNECTIONS_MAX, HealthServer, Page

PAGES = {"/livez": lambda: Page(200, b"alive\n"), "/readyz": lambda: Page(503, b"draining\n", "application/json")}


async def asked(port: int, said: bytes) -> tuple[str, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines if line), body


async def test_pages_are_answered_and_made_anew_each_time() -> None:
    async with HealthServer(0, PAGES) as server:
        status, headers, body = await asked(server.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (status, body) == ("HTTP/1.1 200 OK", b"alive\n")
        assert headers["Content-Length"] == "6"
        assert headers["Connection"] == "close"
        status, headers, body = await asked(server.port, b"GET /readyz?verbose=1 HTTP/1.1\r\n\r\n")
        assert (status, body) == ("HTTP/1.1 503 Service Unavailable", b"draining\n")
        assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HEAD /livez HTTP/1.1\r\n\r\n", "200 OK"),
        (b"POST /livez HTTP/1.1\r\nContent-Length: 9\r\n\r\n", "405 Method Not Allowed"),
        (b"GET /secrets HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"GET\r\n\r\n", "400 Bad Request"),
        (b"\xff\xfe\x00 \r\n\r\n", "400 Bad Request"),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", ""),
        (b"GET /livez HTTP/1.1\r\n" + b"x: y\r\n" * 2_000 + b"\r\n", ""),
    ],
)
async def test_what_is_no_get_of_a_page_is_refused_or_cut_off(said: bytes, status: str) -> None:
    async with HealthServer(0, PAGES) as server:
        try:
            found, _, body = await asked(server.port, said)
        except ConnectionResetError:
            found, body = "", b""
        assert found.removeprefix("HTTP/1.1 ") == status
        assert b"alive" not in body
        assert (await asked(server.port, b"GET /livez HTTP/1.1\r\n\r\n"))[2] == b"alive\n"


async def test_silent_callers_take_no_place_for_ever() -> None:
    async with HealthServer(0, PAGES) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(CONNECTIONS_MAX)]
        for reader, writer in silent:
            writer.close()
            assert await reader.read() == b""
        assert (await asked(server.port, b"GET /livez HTTP/1.1\r\n\r\n"))[2] == b"alive\n"
        assert (await asked(server.port, b"GET /livez HTTP/1.1\r\n\r\n"))[2] == b"alive\n"


async def test_a_port_that_is_taken_is_named() -> None:
    """OB-90: what the deployer must change is said at the start."""
    async with HealthServer(0, PAGES) as first:
        with pytest.raises(ConfigurationError, match=f"health_port: port {first.port}"):
            async with HealthServer(first.port, PAGES):
                pass
