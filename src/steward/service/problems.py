"""Why a request is refused: the refusals that no decision makes, and every refusal as an RFC 9457 problem.

::

    StewardError                   the tree of `steward.domain.errors`; here what services, http and web add
    ├─ InvalidRequest              unreadable: a header, the query, a cursor
    ├─ Unauthenticated · Forbidden · RateLimited
    ├─ SuggestionsOff              suggestions are switched off by `enabled`
    ├─ IdempotencyKeyRequired · IdempotencyMismatch · IdempotencyInProgress
    ├─ PreconditionRequired · VersionMismatch
    ├─ EventReadOnly · DialogueNotWaiting
    └─ AlreadyApplied · AlreadyUndone · PreviewIgnored · PreviewSuperseded · PreviewNotReady · Expired

Invariant: each has a code of ST-55; what is not one of ours is `internal_error` and says nothing of itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from steward.domain.errors import (
    BaseVersionChanged,
    InvalidEditedChanges,
    SlotConflict,
    StewardError,
    UndoNotPossible,
    ValidationFailed,
)
from steward.domain.profile import Locale
from steward.ports.storage import Busy, NoSuchPerson, Unavailable
from steward.service.codes import CODES

RETRY_AFTER_SECONDS: Final = 1


class InvalidRequest(StewardError):
    """The request cannot be read; the text says which part."""

    code = "invalid_request"


class Unauthenticated(StewardError):
    """Nobody is signed in, or by something that no longer holds."""

    code = "unauthenticated"


class Forbidden(StewardError):
    """The role, the scope or the form's origin does not allow it."""

    code = "forbidden"


class RateLimited(StewardError):
    """Too many requests at once; the next one is taken after `seconds`."""

    code = "rate_limited"

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"try again in {self.seconds} s"


class SuggestionsOff(StewardError):
    """The operator has switched suggestions off."""

    code = "unavailable"


class IdempotencyKeyRequired(StewardError):
    """The request changes something and has no key."""

    code = "idempotency_key_required"


class IdempotencyMismatch(StewardError):
    """The key belongs to another request of this person."""

    code = "idempotency_mismatch"


class IdempotencyInProgress(StewardError):
    """A twin of this request, or another change of this person's calendar, is at work: repeating is right either way."""

    code = "idempotency_in_progress"


class PreconditionRequired(StewardError):
    """The request has no If-Match."""

    code = "precondition_required"


class VersionMismatch(StewardError):
    """The row is no longer the version that the caller saw; `current` is its ETag now."""

    code = "version_mismatch"

    def __init__(self, current: str) -> None:
        super().__init__(current)
        self.current = current

    def __str__(self) -> str:
        return f"the version is {self.current} now"


class EventReadOnly(StewardError):
    """The event was imported: its source has the say."""

    code = "event_read_only"


class DialogueNotWaiting(StewardError):
    """The dialogue awaits no answer; `status` says where it is."""

    code = "dialogue_not_waiting"

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"the dialogue is {self.status}"


class AlreadyApplied(StewardError):
    """Another confirm won; `apply_id` is its."""

    code = "already_applied"

    def __init__(self, apply_id: str) -> None:
        super().__init__(apply_id)
        self.apply_id = apply_id

    def __str__(self) -> str:
        return f"applied by {self.apply_id}"


class AlreadyUndone(StewardError):
    """What was applied has been taken back."""

    code = "already_undone"


class PreviewIgnored(StewardError):
    """The person ignored the preview."""

    code = "preview_ignored"


class PreviewSuperseded(StewardError):
    """Another preview took its place (`successor`), or its task ended (None)."""

    code = "preview_superseded"

    def __init__(self, successor: str | None) -> None:
        super().__init__(successor)
        self.successor = successor

    def __str__(self) -> str:
        return "its task has ended" if self.successor is None else f"superseded by {self.successor}"


class PreviewNotReady(StewardError):
    """The preview waits for an answer, or could not be read; `status` says which."""

    code = "preview_not_ready"

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        return f"the preview is {self.status}"


class Expired(StewardError):
    """The time to answer is over."""

    code = "expired"


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal as it is told: `errors` name fields, `members` are the code's own."""

    code: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    members: Mapping[str, object] = field(default_factory=dict)
    retry_after_seconds: int | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return CODES[self.code].status

    def body(self, locale: Locale, request_id: str, apply_status: str | None = None) -> dict[str, Any]:
        """The document of RFC 9457, its title in the reader's language."""
        told: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": CODES[self.code].title(locale),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            "errors": [dict(error) for error in self.errors],
            **self.members,
        }
        return told if apply_status is None else {**told, "apply_status": apply_status}


def problem_of(error: Exception) -> Problem:
    """The problem of whatever a service raised."""
    match error:
        case Busy() | Unavailable():
            return Problem(
                "unavailable", "the database did not answer in time", retry_after_seconds=RETRY_AFTER_SECONDS
            )
        case NoSuchPerson():
            return Problem("not_found", "no such person")
        case StewardError():
            return Problem(
                error.code,
                str(error),
                errors=_errors(error),
                members=_members(error),
                retry_after_seconds=_retry_after_seconds(error),
            )
        case _:
            return Problem("internal_error", "it is in the log under the request id")


def _errors(error: StewardError) -> Sequence[Mapping[str, str]]:
    match error:
        case ValidationFailed():
            return [{"field": error.field, "reason": error.reason}]
        case InvalidEditedChanges():
            return [{"field": "edited_changes", "reason": error.reason}]
        case SlotConflict():
            return [{"field": "", "reason": conflict} for conflict in error.conflicts]
        case UndoNotPossible():
            return [{"field": "", "reason": reason} for reason in error.reasons]
        case _:
            return ()


def _members(error: StewardError) -> Mapping[str, object]:
    match error:
        case AlreadyApplied():
            return {"apply_id": error.apply_id}
        case PreviewSuperseded():
            return {"superseded_by": error.successor}
        case PreviewNotReady():
            return {"preview_status": error.status}
        case DialogueNotWaiting():
            return {"dialogue_status": error.status}
        case VersionMismatch():
            return {"current": error.current}
        case BaseVersionChanged():
            return {
                "current": error.current,
                "changed": list(error.changed),
                "newer_preview_id": error.newer_preview_id,
            }
        case InvalidEditedChanges():
            return {"change_id": error.change_id}
        case _:
            return {}


def _retry_after_seconds(error: StewardError) -> int | None:
    if isinstance(error, RateLimited):
        return error.seconds
    return RETRY_AFTER_SECONDS if isinstance(error, IdempotencyInProgress | SuggestionsOff) else None
