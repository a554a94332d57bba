"""When two requests are the same thing. Source: spec/notification.md NT-3 to NT-5, NT-49.

Invariant: kind and subject are always part of the scope, so a key that is too coarse merges repeats of one subject and
can never swallow another; no clock is in it, so no edge of a window lets two through.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from outrider.core.canonical import canonical_json
from outrider.core.notification.request import NotificationRequest
from outrider.notification.states import Status

FREEING = frozenset({Status.DEAD, Status.CANCELED})
"""A holder that ended so holds its scope no longer."""


class Judged(StrEnum):
    """What the holder of a scope means for a request that wants it."""

    FREE = "free"
    DUPLICATE = "duplicate"
    REPLACE = "replace"
    """A duplicate, and the holder takes the newer content, so that the person gets the newest link."""


def scope_hash(request: NotificationRequest, channel: str) -> bytes:
    """The 32 bytes that name what this request is about on this channel."""
    own = [request.subject_type, request.subject_id, request.dedupe_key]
    if not request.names_its_subject:
        own[2] = str(request.request_id)
    return sha256(canonical_json(["v1", channel, request.recipient_id, request.kind, *own])).digest()


def request_hash(request: NotificationRequest) -> bytes:
    """The 32 bytes of what a request says to the person: texts, data, link and expiry; see `Judged.REPLACE`."""
    said = [
        request.title, request.summary_text, request.fallback_text, request.target_url, dict(request.data), request.locale,
        request.expires_at,
    ]  # fmt: skip
    return sha256(canonical_json(said)).digest()


def scope_until(request: NotificationRequest, now: datetime, window: timedelta, records: timedelta) -> datetime:
    """Until when the scope is held, from the first request on."""
    return now + (records if request.permanent_scope else window)


def judge(*, expired: bool, status: str, has_begun: bool, holder_hash: bytes, wanted_hash: bytes) -> Judged:
    """What a scope's holder means. `expired`: its window has passed; `has_begun`: an attempt of it was made."""
    if expired or status in FREEING:
        return Judged.FREE
    untold = status == Status.SKIPPED or (status in {Status.PENDING, Status.FAILED} and not has_begun)
    return Judged.REPLACE if untold and holder_hash != wanted_hash else Judged.DUPLICATE
