"""The ways out of the process, over Outrider's guarded client: to feeds, and to a model's server.

Invariant: an address that a person set is https and public (NT-43); one that the deployer set is called as it stands.
Source: spec/scheduling.md ST-16, ST-35, §18.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from outrider.bootstrap.guarded import (
    HttpAnswer,
    HttpClient,
    HttpFailure,
    HttpRequest,
    SealedTexts,
    SecretUnreadable,
    guarded_client,
)
from steward.ports.feed import FeedFailure, FeedText, FeedUnchanged
from steward.ports.feed import SecretUnreadable as FeedSecretUnreadable
from steward.ports.model import PostAnswer, PostFailed

FEED_SECONDS: Final = 10.0
MODEL_ANSWER_MAX: Final = 1 << 20
_OK, _NOT_MODIFIED = 200, 304
_REDIRECTS: Final = range(300, 400)
_PORTS: Final = {"http": 80, "https": 443}
_FAILURES: Final = {
    "resolve": "its host has no address",
    "connect": "its server cannot be reached",
    "tls": "its server's certificate is not trusted",
    "timeout": f"its server took longer than {FEED_SECONDS:.0f} seconds",
    "lost": "its server ended the connection",
    "unreadable": "its server does not answer as HTTP says",
}


class GuardedFeeds:
    """`ports.feed.FeedClient`; `client` is made when the first feed is read, for most processes read none."""

    def __init__(self, client: Callable[[], HttpClient], bytes_max: int) -> None:
        self._make, self._bytes_max = client, bytes_max

    @cached_property
    def _client(self) -> HttpClient:
        return self._make()

    def problem(self, url: str) -> str | None:
        """Why this address may never be read."""
        return self._client.problem(url)

    async def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> FeedText | FeedUnchanged | FeedFailure:
        """Read it once."""
        headers = {"Accept": "text/calendar, */*;q=0.1", "User-Agent": "Outrider-Steward"}
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": last_modified} if last_modified else {}
        request = HttpRequest("GET", url, headers, answer_max=self._bytes_max)
        answer = await self._client.exchange(request, FEED_SECONDS)
        if isinstance(answer, HttpFailure):
            return FeedFailure(answer.detail if answer.reason == "forbidden" else _FAILURES[answer.reason])
        return self._answered(answer)

    def _answered(self, answer: HttpAnswer) -> FeedText | FeedUnchanged | FeedFailure:
        if answer.status == _NOT_MODIFIED:
            return FeedUnchanged()
        if answer.status in _REDIRECTS:
            return FeedFailure("its server points to another address: add that one instead")
        if answer.status != _OK:
            return FeedFailure(f"its server answered {answer.status}")
        if answer.truncated:
            size = f"it is larger than {self._bytes_max >> 20} MiB, or its server broke off or took too long"
            return FeedFailure(size)
        return FeedText(answer.body, answer.headers.get("etag"), answer.headers.get("last-modified"))


class SealedUrls:
    """`ports.feed.Sealer`: the addresses of feeds."""

    def __init__(self, texts: SealedTexts) -> None:
        self._texts = texts

    def seal(self, secret: str, place: str) -> str:
        """The text for the row."""
        return self._texts.seal(secret, place, "url")

    def open(self, sealed: str, place: str) -> str:
        """What was sealed."""
        try:
            return self._texts.open(sealed, place, "url")
        except SecretUnreadable as error:
            raise FeedSecretUnreadable from error


class ModelPost:
    """`ports.model.JsonPost` to the one server that the deployer named, also on this machine."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._client = guarded_client(allow=[f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 443)}"])

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> PostAnswer:
        """Post JSON and read the answer."""
        request = HttpRequest("POST", url, headers, body, answer_max=MODEL_ANSWER_MAX)
        answer = await self._client.exchange(request, timeout_seconds)
        if isinstance(answer, HttpFailure):
            raise PostFailed(timeout=answer.reason == "timeout")
        return PostAnswer(answer.status, answer.body)
