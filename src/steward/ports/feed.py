"""Feeds: calendars that others publish and we read again and again, and where their addresses are kept.

Invariant: the address of a feed may itself be a credential, so it is sealed at rest and never in a message, log or answer.
Source: spec/scheduling.md ST-16, §18; spec/notification.md NT-43, NT-44.
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FeedText:
    """The feed's text, and what to show next time so that it need not be sent again."""

    body: bytes = field(repr=False)
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class FeedUnchanged:
    """It is what it was when we last read it."""


@dataclass(frozen=True, slots=True)
class FeedFailure:
    """It could not be had; `reason` is for the person who added it, free of the address."""

    reason: str


class FeedClient(Protocol):
    """The guarded way to feeds: https to public addresses alone, no redirects, 10 s and `bytes_max` at most."""

    def problem(self, url: str) -> str | None:
        """Why this address may never be read, by its form alone, or None."""
        ...

    async def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> FeedText | FeedUnchanged | FeedFailure:
        """Read it once. Never raises but for cancellation."""
        ...


class Sealer(Protocol):
    """Secrets of rows at rest (NT-44); `place` is the row's id, which the sealed text is bound to."""

    def seal(self, secret: str, place: str) -> str:
        """The text for the row."""
        ...

    def open(self, sealed: str, place: str) -> str:
        """What was sealed. Raises SecretUnreadable where no key fits."""
        ...


class SecretUnreadable(Exception):
    """None of the keys that are set opens it: whoever deploys must give back the old key, or the secret is set anew."""
