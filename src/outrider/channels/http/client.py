"""One guarded exchange: check, connect, send, read, close, all within one time.

Invariant: whatever the other side does, a call ends in time with a value, and the value says whether the request may have
been carried out. Source: spec/notification.md NT-17, NT-42, NT-43.
"""

import asyncio
import re
import ssl
from collections.abc import Collection, Mapping
from contextlib import aclosing
from typing import Final

import httpcore2

from outrider.channels.http.body import Body
from outrider.channels.http.guard import Guard, SystemResolver
from outrider.channels.http.network import Progress, WatchedStream, connected
from outrider.channels.http.url import Target, UrlRefused
from outrider.core.text import clean_text
from outrider.ports.http import HttpAnswer, HttpFailure, HttpRequest, Resolver

DETAIL_MAX: Final = 200
_IS_HEADER: Final = re.compile(r"[A-Za-z0-9-]+:[\x20-\x7e]*").fullmatch
_OWN_HEADERS: Final = {"Connection": "close", "Accept-Encoding": "identity"}


class GuardedClient:
    """`ports.http.HttpClient`. `allow` holds `host:port` of fake servers (`ssrf.allow`); `tls` replaces the system's trust.

    The TLS settings are read once, at the first https request.
    """

    def __init__(
        self,
        *,
        ports: Collection[int] = (443,),
        allow: Collection[str] = (),
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = Guard(resolver or SystemResolver(), ports=ports, allow=allow)
        self._tls = tls

    def problem(self, url: str) -> str | None:
        """Why this URL may never be called, by its form alone, or None."""
        try:
            self._guard.target(url)
        except UrlRefused as refused:
            return str(refused)
        return None

    def is_exempt(self, url: str) -> bool:
        """Whether the deployer named this host and port."""
        try:
            return self._guard.target(url).exempt
        except UrlRefused:
            return False

    async def check(self, url: str) -> str | None:
        """As `problem`, and resolves the host."""
        try:
            await self._guard.addresses(self._guard.target(url))
        except UrlRefused as refused:
            return str(refused)
        except OSError:
            return "the host has no address"
        return None

    async def exchange(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer | HttpFailure:
        """Send one request and read its answer, within `timeout_seconds`."""
        progress = Progress()
        try:
            target = self._guard.target(request.url)
            headers = _headers(request, target)
            async with asyncio.timeout(timeout_seconds) as limit:
                addresses = await self._guard.addresses(target)
                stream = await connected(addresses, target.port, limit.when() or 0.0, progress)
                return await self._send(request, target, headers, stream, progress)
        except UrlRefused as refused:
            return HttpFailure("forbidden", written=False, detail=str(refused))
        except (OSError, httpcore2.WriteTimeout, httpcore2.ProtocolError) as error:  # a TimeoutError is an OSError
            return progress.answer() if progress.answer else _failure(error, progress)

    async def close(self) -> None:
        """Nothing stays open between calls."""

    async def _send(
        self,
        request: HttpRequest,
        target: Target,
        headers: Mapping[str, str],
        stream: WatchedStream,
        progress: Progress,
    ) -> HttpAnswer:
        try:
            if target.scheme == "https":
                await stream.secure(self._context(), target.host)
            url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
            sent = httpcore2.Request(request.method, url, headers=list(headers.items()), content=request.body)
            connection = httpcore2.AsyncHTTP11Connection(url.origin, stream)
            return await _read(await connection.handle_async_request(sent), request.answer_max, progress)
        finally:
            await stream.aclose()

    def _context(self) -> ssl.SSLContext:
        """The TLS settings: what is trusted, and that we speak HTTP/1.1."""
        if self._tls is None:
            self._tls = httpcore2.default_ssl_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


async def _read(response: httpcore2.Response, limit: int, progress: Progress) -> HttpAnswer:
    """The answer; from its head on it also stands in `progress`, where it stays, cut, if its body breaks off."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body = Body(headers.get("content-encoding", "").strip().lower(), limit)

    def answer() -> HttpAnswer:
        return HttpAnswer(response.status, headers, body.data, truncated=not body.whole)

    progress.answer = answer
    async with aclosing(response.aiter_stream()) as chunks:
        async for chunk in chunks:
            if not body.add(chunk):
                return answer()
    body.end()
    return answer()


def _headers(request: HttpRequest, target: Target) -> dict[str, str]:
    default = {"https": 443, "http": 80}[target.scheme]
    host = f"[{target.host}]" if ":" in target.host else target.host
    own = {"Host": host if target.port == default else f"{host}:{target.port}", **_OWN_HEADERS}
    if request.body or request.method not in {"GET", "HEAD", "DELETE"}:
        own["Content-Length"] = str(len(request.body))
    if not all(_IS_HEADER(f"{name}:{value}") for name, value in request.headers.items()):
        raise UrlRefused("a header is not printable ASCII")
    return own | dict(request.headers)


def _failure(error: Exception, progress: Progress) -> HttpFailure:
    if isinstance(error, TimeoutError | httpcore2.WriteTimeout):
        return HttpFailure("timeout", progress.written, f"time ran out ({progress.stage})")
    detail = clean_text(error, DETAIL_MAX)
    match progress.stage:
        case "resolve":
            return HttpFailure("resolve", written=False, detail="the host has no address")
        case "connect" | "tls" as stage:
            return HttpFailure(stage, written=False, detail=detail)
    unreadable = isinstance(error, httpcore2.ProtocolError) and not progress.ended
    return HttpFailure("unreadable" if unreadable else "lost", progress.written, detail)
