"""Problems and their codes: ST-55."""

from inspect import isabstract
from typing import Any

import pytest

from steward.domain import errors
from steward.domain.errors import (
    BaseVersionChanged,
    InvalidEditedChanges,
    SlotConflict,
    StewardError,
    UndoNotPossible,
    ValidationFailed,
)
from steward.ports.storage import Busy, NoSuchPerson, Unavailable
from steward.service import problems
from steward.service.codes import CODES
from steward.service.problems import (
    AlreadyApplied,
    DialogueNotWaiting,
    IdempotencyInProgress,
    PreviewNotReady,
    PreviewSuperseded,
    RateLimited,
    VersionMismatch,
    problem_of,
)

STATUSES = {
    400: {"invalid_request"},
    401: {"unauthenticated"},
    403: {"forbidden"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    409: {
        "already_applied", "already_undone", "dialogue_not_waiting", "event_read_only", "idempotency_in_progress",
        "preview_ignored", "preview_not_ready", "preview_superseded", "slot_conflict", "target_already_scheduled",
        "target_completed", "undo_not_possible",
    },
    410: {"expired"},
    412: {"base_version_changed", "version_mismatch"},
    413: {"payload_too_large"},
    415: {"unsupported_media_type"},
    422: {"idempotency_mismatch", "invalid_edited_changes", "unsupported_change_type", "validation_failed"},
    428: {"idempotency_key_required", "precondition_required"},
    429: {"rate_limited"},
    500: {"internal_error"},
    503: {"unavailable"},
}  # fmt: skip


def test_the_codes_are_those_of_the_specification() -> None:
    """ST-55: with their statuses, and a title in both languages."""
    found: dict[int, set[str]] = {}
    for name, code in CODES.items():
        found.setdefault(code.status, set()).add(name)
        assert code.title("en").isascii()
        assert not code.title("zh-CN").isascii()
    assert found == STATUSES


def test_every_refusal_has_a_code_of_the_list() -> None:
    """ST-55."""
    kinds = [
        kind
        for module in (errors, problems)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, StewardError) and kind is not StewardError
    ]
    assert len(set(kinds)) > 20
    assert {kind.code for kind in kinds if not isabstract(kind)} <= CODES.keys()


TOLD: list[tuple[Exception, str, dict[str, Any]]] = [
    (ValidationFailed("title", "text"), "validation_failed", {"errors": [{"field": "title", "reason": "text"}]}),
    (AlreadyApplied("apl_1"), "already_applied", {"apply_id": "apl_1"}),
    (PreviewSuperseded("prv_2"), "preview_superseded", {"superseded_by": "prv_2"}),
    (PreviewSuperseded(None), "preview_superseded", {"superseded_by": None, "detail": "its task has ended"}),
    (PreviewNotReady("pending"), "preview_not_ready", {"preview_status": "pending"}),
    (DialogueNotWaiting("expired"), "dialogue_not_waiting", {"dialogue_status": "expired"}),
    (VersionMismatch("3"), "version_mismatch", {"current": "3"}),
    (SlotConflict(("a: too soon",)), "slot_conflict", {"errors": [{"field": "", "reason": "a: too soon"}]}),
    (UndoNotPossible(("a: has begun",)), "undo_not_possible", {"errors": [{"field": "", "reason": "a: has begun"}]}),
    (
        InvalidEditedChanges("chg_1", "named twice"),
        "invalid_edited_changes",
        {"change_id": "chg_1", "errors": [{"field": "edited_changes", "reason": "named twice"}]},
    ),
    (
        BaseVersionChanged(("task",), "v1:sha256:0", "prv_2"),
        "base_version_changed",
        {"changed": ["task"], "current": "v1:sha256:0", "newer_preview_id": "prv_2"},
    ),
    (NoSuchPerson(), "not_found", {}),
    (Unavailable(), "unavailable", {}),
    (RuntimeError("the password is swordfish"), "internal_error", {}),
]


@pytest.mark.parametrize(("error", "code", "members"), TOLD, ids=[type(row[0]).__name__ for row in TOLD])
def test_a_refusal_is_told_as_a_problem(error: Exception, code: str, members: dict[str, Any]) -> None:
    """ST-55: RFC 9457, the title in the reader's language, codes never."""
    body = problem_of(error).body("zh-CN", "req_1")
    assert (body["type"], body["code"], body["status"]) == (f"/problems/{code}", code, CODES[code].status)
    assert (body["title"], body["request_id"]) == (CODES[code].zh, "req_1")
    assert members.items() <= body.items()
    assert "swordfish" not in str(body)
    assert "apply_status" not in body
    assert problem_of(error).body("en", "", "rejected")["apply_status"] == "rejected"


def test_what_is_worth_repeating_says_when() -> None:
    """ST-54: and nothing else does."""
    seconds = [problem_of(error).retry_after_seconds for error in (Busy(), IdempotencyInProgress(), RateLimited(7))]
    assert seconds == [1, 1, 7]
    assert problem_of(AlreadyApplied("x")).retry_after_seconds is None
