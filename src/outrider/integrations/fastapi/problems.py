"""What an error becomes for whoever called: RFC 9457. Source: spec/notification.md NT-55; spec/scheduling.md ST-55.

Invariant: a code never changes with the language, and no detail repeats a secret.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from starlette.responses import JSONResponse

from outrider.core.errors import (
    NotificationNotFound,
    OperationRefused,
    OutriderError,
    SettingsRefused,
    StateConflict,
    StorageUnavailable,
    Undecodable,
    VersionMismatch,
)
from outrider.core.text import clean_text

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1
CODES: Final[Mapping[str, tuple[int, str, str]]] = {
    "invalid_request": (400, "The request cannot be read", "请求无法读取"),
    "unauthenticated": (401, "Nobody is signed in", "未登录"),
    "forbidden": (403, "This is not allowed", "没有权限"),
    "not_found": (404, "There is no such thing", "不存在"),
    "method_not_allowed": (405, "This method is not allowed here", "不支持该方法"),
    "idempotency_in_progress": (409, "The same call is still under way", "相同的请求正在处理"),
    "state_conflict": (409, "Its state does not allow this", "当前状态不允许该操作"),
    "version_mismatch": (412, "It changed since it was read", "内容已被更改"),
    "payload_too_large": (413, "The body is too large", "请求体过大"),
    "unsupported_media_type": (415, "The body must be JSON", "请求体必须是 JSON"),
    "validation_failed": (422, "A field breaks its rule", "字段不符合规则"),
    "unsafe_url": (422, "This URL may not be called", "该地址不允许调用"),
    "idempotency_mismatch": (422, "The key was used for another call", "幂等键已用于其他请求"),
    "idempotency_key_required": (428, "An Idempotency-Key is needed", "需要 Idempotency-Key"),
    "precondition_required": (428, "An If-Match is needed", "需要 If-Match"),
    "rate_limited": (429, "Too many calls", "请求过于频繁"),
    "internal_error": (500, "Something went wrong here", "服务器内部错误"),
    "unavailable": (503, "The database is away; nothing was done", "数据库暂不可用; 未执行任何操作"),
}
"""Status, and titles in English and Chinese, by code."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """A call is refused. `more` are further members of the answer, `allow` the methods that its address takes."""

    def __init__(
        self, code: str, detail: str = "", errors: Sequence[FieldError] = (), *,
        more: Mapping[str, Any] = MappingProxyType({}), retry_after: int | None = None, allow: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(code, detail)
        self.code, self.detail, self.errors, self.more = code, detail, errors, more
        self.retry_after, self.allow = retry_after, allow


def problem_of(error: Exception) -> Problem:
    """The problem that an error of the rooms below is to its caller."""
    said = clean_text(str(error))
    match error:
        case Problem():
            return error
        case Undecodable():
            errors = [FieldError(error.path, "validation_failed", error.reason)] if error.path else []
            return Problem("validation_failed", said, errors)
        case SettingsRefused():
            errors = [FieldError(*one) for one in error.problems]
            unsafe = any(one.code == "unsafe_url" for one in errors)
            return Problem("unsafe_url" if unsafe else "validation_failed", said, errors)
        case NotificationNotFound():
            return Problem("not_found", f"there is no such {error.what}")
        case StateConflict():
            return Problem("state_conflict", said, more={"record_status": error.status})
        case VersionMismatch() | OperationRefused():  # the latter for a cursor that no page gave
            return Problem("version_mismatch" if isinstance(error, VersionMismatch) else "invalid_request", said)
    if isinstance(error, StorageUnavailable):
        return Problem("unavailable", retry_after=RETRY_SECONDS)
    return Problem("internal_error")


def is_unexpected(error: Exception) -> bool:
    """Whether somebody on our side should hear of it."""
    return problem_of(error).code in {"internal_error", "unavailable"}


def code_of(error: Exception) -> str:
    """What a log line calls it."""
    return error.code if isinstance(error, OutriderError) else type(error).__name__


def answer_of(problem: Problem, request_id: str, languages: str = "") -> JSONResponse:
    """The answer; its title is in the language that the caller wants first, if that is Chinese, else in English."""
    status, english, chinese = CODES[problem.code]
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}", "title": chinese if languages.lower().startswith("zh") else english,
        "status": status, "detail": problem.detail, "code": problem.code, "request_id": request_id,
        "errors": [{"field": one.field, "code": one.code, "message": one.message} for one in problem.errors],
        **problem.more,
    }  # fmt: skip
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after is not None else {}
    if problem.allow:
        headers["Allow"] = ", ".join(problem.allow)
    if status == 401:  # noqa: PLR2004  says how to sign in
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers, MEDIA_TYPE)
