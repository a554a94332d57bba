"""The guarded client against servers that misbehave: what it says of each, and whether the request was written."""

import asyncio
import gzip
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore2
import pytest

from outrider.channels.http.client import GuardedClient
from outrider.channels.http.network import Progress, WatchedStream
from outrider.channels.http.wire import Wire
from outrider.ports.http import HttpAnswer, HttpFailure, HttpRequest
from outrider.testing.services.certificates import Authority
from tests.unit.channels.test_ssrf_corpus import REFUSED_BY_FORM, Names

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENT, SHORT = 15.0, 1.0
FAKE = "fake.example"


class Server:
    """Answers every connection by one function, and counts them."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def read(self, reader: asyncio.StreamReader) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))

    @property
    def url(self) -> str:
        return f"http://{FAKE}:{self.port}/hook/secret"

    def client(self, *addresses: str, tls: ssl.SSLContext | None = None) -> GuardedClient:
        return GuardedClient(allow=[f"{FAKE}:{self.port}"], resolver=Names(addresses or ("127.0.0.1",)), tls=tls)


@asynccontextmanager
async def serving(handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(handle)
    running = await asyncio.start_server(server, "127.0.0.1", 0, ssl=tls)
    server.port = running.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        running.close()


def saying(answer: bytes) -> Handle:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
        await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()

    return handle


async def exchanged(handle: Handle, timeout_seconds: float = PATIENT) -> HttpAnswer | HttpFailure:
    async with serving(handle) as server:
        request = HttpRequest("POST", server.url, {"Content-Type": "application/json"}, b"{}", answer_max=100)
        return await server.client().exchange(request, timeout_seconds)


def failed(result: HttpAnswer | HttpFailure) -> tuple[str, bool]:
    assert isinstance(result, HttpFailure), result
    assert "secret" not in result.detail
    return result.reason, result.written


def answered(result: HttpAnswer | HttpFailure) -> tuple[int, bytes, bool]:
    assert isinstance(result, HttpAnswer), result
    return result.status, result.body, result.truncated


async def test_a_request_goes_out_as_it_was_given_and_its_answer_comes_back() -> None:
    heard: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        heard.append(await reader.readexactly(2))
        writer.write(b"HTTP/1.1 429 Slow\r\nX-Wait: 1\r\nX-Wait: 2\r\nContent-Length: 2\r\n\r\nno")

    result = await exchanged(handle)
    head = heard[0].decode()
    assert head.startswith("POST /hook/secret HTTP/1.1\r\n")
    assert f"\r\nHost: {FAKE}:" in head
    assert "\r\nContent-Length: 2\r\n" in head
    assert "\r\nContent-Type: application/json\r\n" in head
    assert heard[1] == b"{}"
    assert answered(result) == (429, b"no", False)
    assert isinstance(result, HttpAnswer)
    assert result.headers["x-wait"] == "1, 2"


async def test_nobody_listens_and_nothing_was_done() -> None:
    """NT-17: a connection that never came to be wrote nothing."""
    async with serving(saying(b"")) as server:
        client, url = server.client(), server.url
    assert failed(await client.exchange(HttpRequest("POST", url, body=b"{}"), PATIENT)) == ("connect", False)


async def test_a_name_without_an_address_and_a_resolver_that_hangs() -> None:
    class Lost:
        async def resolve(self, host: str, port: int) -> Sequence[str]:
            raise OSError(f"no address of {host}:{port}")

    class Hung:
        async def resolve(self, host: str, port: int) -> Sequence[str]:
            await asyncio.Event().wait()
            return [host, str(port)]

    request = HttpRequest("POST", "https://example.com/secret")
    assert failed(await GuardedClient(resolver=Lost()).exchange(request, PATIENT)) == ("resolve", False)
    assert await GuardedClient(resolver=Lost()).check(request.url) == "the host has no address"
    assert failed(await GuardedClient(resolver=Hung()).exchange(request, SHORT)) == ("timeout", False)


async def test_dropped_after_the_request_nobody_knows() -> None:
    """NT-17: written and lost."""

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    assert failed(await exchanged(drop)) == ("lost", True)
    assert failed(await exchanged(saying(b""))) == ("lost", True)
    assert failed(await exchanged(saying(b"HTTP/1.1 200 OK\r\nContent-Le"))) == ("lost", True)


async def test_silence_after_the_request_is_a_timeout_that_wrote() -> None:
    """NT-17."""

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await writer.wait_closed()

    assert failed(await exchanged(silence, SHORT)) == ("timeout", True)


async def test_what_is_no_http_is_unreadable() -> None:
    assert failed(await exchanged(saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" + b"x" * 99))) == ("unreadable", True)
    endless_head = b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 50_000
    assert failed(await exchanged(saying(endless_head))) == ("unreadable", True)


async def test_a_body_that_breaks_off_is_an_answer_that_is_cut() -> None:
    """NT-51: the status is known, the body is not."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
    assert answered(await exchanged(saying(head + b'{"code":'))) == (200, b'{"code":', True)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b'{"code":')
        await writer.wait_closed()

    assert answered(await exchanged(hang, SHORT)) == (200, b'{"code":', True)


async def test_a_body_without_end_is_read_to_the_limit() -> None:
    """NT-42, NT-43: bounded, plain or packed."""
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000
    assert answered(await exchanged(saying(endless))) == (200, b"x" * 100, True)
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"\0" * 10_000_000)
    assert answered(await exchanged(saying(bomb))) == (200, b"\0" * 100, True)


async def test_redirect_not_followed() -> None:
    """NT-43: a redirect, to loopback too, is an answer; nobody connects there."""
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as inner:
        moved = f"HTTP/1.1 307 Over there\r\nLocation: http://127.0.0.1:{inner.port}/\r\nContent-Length: 0\r\n\r\n"
        assert answered(await exchanged(saying(moved.encode()))) == (307, b"", False)
        assert inner.connections == 0


async def test_ssrf_corpus_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """NT-43: a server that every forbidden form could mean stands here, and hears nothing; nor does a proxy."""
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.port}")
        strict = GuardedClient(ports=[server.port], resolver=Names(["127.0.0.1"]))
        forms = [f"{url[:-1]}:{server.port}/" for url in REFUSED_BY_FORM if re.fullmatch(r"https://[^/]+/", url)]
        named = [f"https://{host}:{server.port}/x" for host in (FAKE, "rebinding.example", "localtest.example")]
        for url in [*REFUSED_BY_FORM, *forms, *named]:
            assert failed(await strict.exchange(HttpRequest("POST", url, body=b"{}"), PATIENT)) == ("forbidden", False)
        rebinding = GuardedClient(ports=[server.port], resolver=Names(["93.184.216.34"], ["127.0.0.1"]))
        assert await rebinding.check(named[0]) is None
        assert failed(await rebinding.exchange(HttpRequest("POST", named[0]), PATIENT)) == ("forbidden", False)
        assert server.connections == 0


async def test_a_header_that_would_begin_a_second_line_is_never_sent() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        for value in ("Bearer a\r\nHost: other", "Bearer ключ"):
            request = HttpRequest("POST", server.url, {"Authorization": value})
            assert failed(await server.client().exchange(request, PATIENT)) == ("forbidden", False)
        assert server.connections == 0


async def test_the_next_address_is_tried_where_the_first_refuses() -> None:
    async with serving(saying(b"HTTP/1.1 204 Fine\r\n\r\n")) as server:
        client = server.client("127.0.0.2", "127.0.0.1")
        assert answered(await client.exchange(HttpRequest("POST", server.url), PATIENT)) == (204, b"", False)


async def test_tls_is_held_to_the_host_and_not_to_the_address(tmp_path: Path) -> None:
    """NT-43: the checked address under the host's own name; another's certificate writes nothing."""
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.ca))
    for name, outcome in ((FAKE, "answer"), ("other.example", "tls")):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(authority.issue(name).chain)
        asked: list[str | None] = []
        tls.sni_callback = lambda _socket, host, _context, asked=asked: asked.append(host)
        async with serving(saying(b"HTTP/1.1 204 Fine\r\n\r\n"), tls) as server:
            request = HttpRequest("POST", server.url.replace("http", "https"), body=b"{}")
            result = await server.client(tls=trusting).exchange(request, PATIENT)
            assert asked == [FAKE]
            if outcome == "answer":
                assert answered(result) == (204, b"", False)
            else:
                assert failed(result) == ("tls", False)
            assert failed(await server.client().exchange(request, PATIENT)) == ("tls", False)


async def test_nothing_is_written_once_time_has_run_out() -> None:
    """NT-17, NT-22: where the loop is late to its own timers, what has not been sent is not sent late, and that is known."""
    progress = Progress()
    past = asyncio.get_running_loop().time() - 1
    async with serving(saying(b"")) as server:
        stream = WatchedStream(await Wire.connect("127.0.0.1", server.port), progress, past)
        with pytest.raises(httpcore2.WriteTimeout):
            await stream.write(b"POST / HTTP/1.1\r\n\r\n")
        await stream.aclose()
    assert not progress.written
