"""HTTP in both directions: the guarded client that channels send with, and who it is that calls our own routes.

A client turns whatever happened into a value: an answer, or a failure that says whether the request may have been carried
out. It never retries, follows no redirect and reads no proxy from the environment. A URL may itself be a credential, so
none of these values shows its URL, headers or body in its repr. Source: spec/notification.md NT-43, NT-45, NT-52.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

ANSWER_MAX = 65_536
"""Bytes of an answer's body that are read, after decompression (NT-42)."""

FailureReason = Literal["forbidden", "resolve", "connect", "tls", "timeout", "lost", "unreadable"]
Role = Literal["recipient", "service", "operator", "texts"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. Header names are in any case; Host and Content-Length are the client's own.

    `answer_max` bounds the body that is read, in bytes after decompression.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    answer_max: int = ANSWER_MAX


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back, of any status, redirects too.

    `headers` have lower-case names; one that came more than once has its values joined by a comma. `truncated`: `body` is
    not the whole one, because more came than `answer_max`, the connection broke or time ran out in the middle of it, or
    it cannot be decompressed.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class HttpFailure:
    """No answer came. `written`: bytes of the request may have left this machine, so it may have been carried out;
    where it is False nothing was done.

    `reason`: `forbidden` the guard refused the URL or an address of its host, with `detail` saying which rule · `resolve`
    the host has no address · `connect` · `tls` · `timeout` of the whole exchange · `lost` the connection ended before an
    answer · `unreadable` what came is no HTTP. `detail` is short and free of the URL.
    """

    reason: FailureReason
    written: bool
    detail: str = ""


class HttpClient(Protocol):
    """The one way out of the process for channels, guarded against request forgery (NT-43). Calls may overlap."""

    def problem(self, url: str) -> str | None:
        """Why this URL may never be called, by its form alone, or None: pure, and quick. The text is free of the URL.

        Allowed is https on a port of `ssrf.ports`, a host that is a name or a global address, no userinfo, no fragment;
        besides, whatever `is_exempt`.
        """
        ...

    def is_exempt(self, url: str) -> bool:
        """Whether the deployer named this host and port (`ssrf.allow`, for fake servers).

        There plain http and addresses of this machine are allowed, and a channel's own list of hosts does not hold.
        """
        ...

    async def check(self, url: str) -> str | None:
        """As `problem`, and resolves the host: None only if every address is global. For saving settings."""
        ...

    async def exchange(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer | HttpFailure:
        """Send one request and read its answer, all of it within `timeout_seconds`.

        The host is resolved and each of its addresses checked before a connection is made, and the connection goes to a
        checked address, under the host's own name (SNI, certificate). Never raises but for cancellation.
        """
        ...

    async def close(self) -> None:
        """Close what is open. Never raises."""
        ...


class Resolver(Protocol):
    """From a host's name to its addresses."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of `host`, as text, IPv4 and IPv6. Raises OSError where there is none or nobody answers."""
        ...


@dataclass(frozen=True, slots=True)
class IncomingRequest:
    """A request to our own routes as far as an authenticator may look. Header names are lower-case; `peer` is the
    client's address as text, or empty.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: `recipient_id` names people and programs alike, 1…64 characters of printable ASCII.

    No role contains another: `recipient` reaches rows of its own id, `service` adds for any recipient and reads none,
    `operator` sees and decides, `texts` lifts the veil from texts and opens no route.
    """

    recipient_id: str
    roles: frozenset[Role]


class Authenticator(Protocol):
    """Says who calls. Source: spec/notification.md NT-52."""

    async def authenticate(self, request: IncomingRequest) -> Principal | None:
        """Give the caller, or None where it cannot be told: asked once a call.

        One that takes a cookie also checks Origin and the CSRF token of unsafe methods, and gives None where they fail
        (X5).
        """
        ...
