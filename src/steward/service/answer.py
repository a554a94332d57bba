"""Who calls, what they are answered, and how a key makes a repeated request give the first one's answer.

Invariant: the answer that is kept under a key was written in the transaction of its effect: there is never one without the
other. Source: spec/scheduling.md ST-54.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from outrider import canonical_json
from steward.domain.facts import AnswerReplayed
from steward.domain.hashing import hash_of
from steward.domain.profile import Locale, Role
from steward.ports.rows.answer import ApplyRow, RequestRow
from steward.ports.storage import Busy, Storage, Writing
from steward.service.problems import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyMismatch,
    InvalidRequest,
    VersionMismatch,
)

SCOPES: Final = frozenset({"tasks", "calendar", "previews", "admin"})
ANSWER_KEPT: Final = timedelta(hours=24)
_KEY: Final = re.compile(r'[!-~]{1,191}|"[!-~]{1,191}"')
_TAG: Final = re.compile(r'(?:W/)?"[^"]*"|[^\s,"]+')


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the person whose rows are meant, and what the request allows; `trace_id` as in ST-66."""

    user_id: str
    trace_id: str
    role: Role = "user"
    scopes: frozenset[str] = SCOPES - {"admin"}
    locale: Locale = "zh-CN"
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a change answers: `body` is JSON-able; `etag` stands without its quotes; `resource_id` is what it made.

    A status of 400 or more has the body of a problem (RFC 9457) that was stored and is answered again under its key.
    """

    status: int
    body: Any
    etag: str | None = None
    location: str | None = None
    resource_id: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Keyed:
    """An idempotency key, and the request that it belongs to: `body` as parsed, without fractions."""

    key: str
    method: str
    path: str
    body: object = None
    if_match: str | None = None

    def fingerprint(self, user_id: str) -> str:
        """What a repeat under the same key must have in common. ValidationFailed for a fraction in the body."""
        said = {
            "user_id": user_id,
            "method": self.method,
            "path": self.path,
            "if_match": self.if_match,
            "body": self.body,
        }
        return hash_of(said, canonical_json)


def parse_key(header: str | None) -> str:
    """The key of an `Idempotency-Key`, which may stand in quotes. IdempotencyKeyRequired, or InvalidRequest."""
    if header is None or not header.strip():
        raise IdempotencyKeyRequired
    header = header.strip()
    if not _KEY.fullmatch(header):
        raise InvalidRequest("Idempotency-Key: 1 to 191 visible characters of ASCII")
    quoted = len(header) > 1 and header[0] == header[-1] == '"'
    return header[1:-1] if quoted else header


def tags(if_match: str) -> list[str]:
    """The ETags of an `If-Match` without their quotes; a weak one keeps its mark, so that it equals no version."""
    return [tag.strip('"') if tag.startswith('"') else tag for tag in _TAG.findall(if_match)]


def expect_version(if_match: str | None, current: str) -> None:
    """Raise VersionMismatch where the caller saw another version; `*` means whichever, None that nothing was asked."""
    if if_match is not None and not {"*", current} & set(tags(if_match)):
        raise VersionMismatch(current)


async def keyed(
    storage: Storage,
    caller: Caller,
    request: Keyed | None,
    operation: str,
    work: Callable[[Writing], Awaitable[Answer]],
) -> Answer:
    """Do the work once for this key, under the person's lock, or give the answer that was kept; without a key just do it.

    A refusal that `work` raises takes everything back and is kept by nobody. Raises IdempotencyMismatch where the key
    belongs to another request, an apply included; IdempotencyInProgress where the lock was not had in time.
    """
    if request is None:
        return await storage.change(caller.user_id, work)
    fingerprint = request.fingerprint(caller.user_id)

    async def once(tx: Writing) -> Answer:
        key = {"user_id": caller.user_id, "idempotency_key": request.key}
        if (kept := await kept_answer(tx, key)) is not None:
            if kept.request_hash != fingerprint:
                raise IdempotencyMismatch(request.key)
            tx.tell(AnswerReplayed(operation))
            return Answer(kept.response_status, replayed=True, resource_id=kept.resource_id, **kept.response_json)
        if await tx.one(ApplyRow, key) is not None:
            raise IdempotencyMismatch(request.key)
        answer = await work(tx)
        await tx.insert(
            RequestRow(
                **key,
                operation=operation,
                request_hash=fingerprint,
                response_status=answer.status,
                expires_at=tx.now + ANSWER_KEPT,
                resource_id=answer.resource_id,
                response_json={"body": answer.body, "etag": answer.etag, "location": answer.location},
            )
        )
        return answer

    try:
        return await storage.change(caller.user_id, once)
    except Busy as error:
        raise IdempotencyInProgress from error


async def kept_answer(tx: Writing, key: dict[str, str]) -> RequestRow | None:
    """The answer kept under this `user_id` and `idempotency_key`; one whose time is over is thrown away."""
    kept = await tx.one(RequestRow, key)
    if kept is None or kept.expires_at > tx.now:
        return kept
    await tx.delete(RequestRow, key)
    return None
