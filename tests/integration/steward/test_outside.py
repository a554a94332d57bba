"""Feeds and models over real connections: ST-16, ST-35, §18."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from outrider.bootstrap.guarded import SealedTexts, guarded_client
from outrider.runtime.system_clock import SystemClock
from steward.bootstrap.outside import GuardedFeeds, ModelPost, SealedUrls
from steward.ports.feed import FeedFailure, FeedText, FeedUnchanged, SecretUnreadable
from steward.ports.model import PostFailed

TEXT = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(head).encode() + body


@asynccontextmanager
async def serving(reply: Callable[[bytes], bytes]) -> AsyncIterator[int]:
    """A server that answers each request's head with these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(await reader.readuntil(b"\r\n\r\n")))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def fetched(reply: Callable[[bytes], bytes], **known: str) -> object:
    async with serving(reply) as port:
        client = guarded_client(allow=[f"127.0.0.1:{port}"])
        return await GuardedFeeds(lambda: client, 100).fetch(f"http://127.0.0.1:{port}/a.ics", **known)


async def test_a_feed_is_read_with_what_it_is_known_by() -> None:
    """ST-16: body, ETag and Last-Modified; shown again, it need not be sent."""
    heads: list[bytes] = []

    def reply(head: bytes) -> bytes:
        heads.append(head)
        if b'if-none-match: "7"' in head.lower():
            return answer("304 Not Modified")
        return answer("200 OK", TEXT, 'ETag: "7"', "Last-Modified: Mon, 23 Nov 2026 00:00:00 GMT")

    assert await fetched(reply) == FeedText(TEXT, '"7"', "Mon, 23 Nov 2026 00:00:00 GMT")
    assert await fetched(reply, etag='"7"', last_modified="x") == FeedUnchanged()
    assert b"text/calendar" in heads[0]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer("302 Found", b"", "Location: https://elsewhere.example/"), "its server points to another address"),
        (answer("404 Not Found"), "its server answered 404"),
        (answer("200 OK", b"x" * 200), "it is larger than"),
        (b"", "its server ended the connection"),
    ],
)
async def test_a_feed_that_cannot_be_had_has_a_reason(reply: bytes, reason: str) -> None:
    """§18: redirect, refused, too large, lost."""
    failure = await fetched(lambda _: reply)
    assert isinstance(failure, FeedFailure)
    assert failure.reason.startswith(reason)


@pytest.mark.parametrize("url", ["http://calendar.example/a.ics", "https://127.0.0.1/a.ics", "https://10.0.0.1/a.ics"])
async def test_only_https_to_public_addresses_is_called(url: str) -> None:
    """§18, NT-43: by their form alone."""
    feeds = GuardedFeeds(guarded_client, 100)
    assert feeds.problem(url)
    failure = await feeds.fetch(url)
    assert isinstance(failure, FeedFailure)
    assert "a.ics" not in failure.reason


async def test_the_address_of_a_feed_is_sealed_to_its_row() -> None:
    """ST-16, NT-44: a row that is copied gives nothing away."""
    key = "k1:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
    urls = SealedUrls(SealedTexts([key], SystemClock()))
    sealed = urls.seal("https://x.example/secret", "src_1")
    assert "secret" not in sealed
    assert urls.open(sealed, "src_1") == "https://x.example/secret"
    with pytest.raises(SecretUnreadable):
        urls.open(sealed, "src_2")


async def test_a_models_server_is_called_where_it_was_named() -> None:
    """ST-35: also on this machine; an answer of any status comes back."""
    body = json.dumps({"choices": []}).encode()
    async with serving(lambda _: answer("503 Busy", body)) as port:
        post = ModelPost(f"http://127.0.0.1:{port}/v1")
        got = await post.post(f"http://127.0.0.1:{port}/v1/chat/completions", {"X-A": "b"}, b"{}", 10.0)
        assert (got.status, got.body) == (503, body)
    with pytest.raises(PostFailed):
        await post.post(f"http://127.0.0.1:{port}/v1/chat/completions", {}, b"{}", 10.0)
