"""Answers of calls that must not happen twice, kept for their repeats. Source: spec/notification.md NT-54, §9.

Invariant: an answer commits with the effect that it tells of; whoever repeats the call meanwhile waits for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from json import loads
from typing import Any, Final
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.steps import Statement, Steps
from outrider.notification.store.rows import read_clock

KEEP: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Once:
    """A call that has its effect once: `call_id` is made of caller and key, `call_hash` of everything that was asked."""

    call_id: UUID
    caller: str
    call_hash: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body; `repeated` where it was given before."""

    status: int
    body: Any
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key was used for something else: nothing was done."""


def answered(once: Once, effect: Callable[[], Steps[Answer]]) -> Steps[Answer | Mismatch]:
    """Give the answer that is kept, or have the effect and keep its answer for 24 hours.

    Statements: `take_notification_answer`, params `request_id`, `caller`, `request_hash`, `expires_at`: makes the row, or
    locks it → `(request_hash, response_status, response_json, expires_at)` and `clock`, status 0 where there is no answer;
    `write_notification_answer`, those and `response_status`, `response_json`.
    """
    until = (yield from read_clock()) + KEEP
    row = {
        "request_id": once.call_id, "caller": once.caller, "request_hash": once.call_hash, "expires_at": until,
    }  # fmt: skip
    ((stored_hash, status, body, expires_at, now),) = yield Statement("take_notification_answer", row)
    if status and expires_at > now:
        if bytes(stored_hash) != once.call_hash:
            return Mismatch()
        return Answer(status, loads(body), repeated=True)
    made = yield from effect()
    said = canonical_json(made.body).decode()
    yield Statement("write_notification_answer", {**row, "response_status": made.status, "response_json": said})
    return Answer(made.status, loads(said))  # as a repeat will get it, byte for byte
