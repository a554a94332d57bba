"""The one list of problem codes: their HTTP status, and their titles in each locale.

Invariant: codes are stable and never translated; each has a title in every locale. Source: spec/scheduling.md ST-55.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steward.domain.profile import Locale


@dataclass(frozen=True, slots=True)
class Code:
    """A code's HTTP status and titles."""

    status: int
    en: str
    zh: str

    def title(self, locale: Locale) -> str:
        """The title for this reader."""
        return self.en if locale == "en" else self.zh


CODES: Final[Mapping[str, Code]] = {
    "invalid_request": Code(400, "The request cannot be read", "无法读取该请求"),
    "unauthenticated": Code(401, "Sign in first", "请先登录"),
    "forbidden": Code(403, "You may not do this", "您无权执行此操作"),
    "not_found": Code(404, "There is no such thing", "找不到该内容"),
    "method_not_allowed": Code(405, "This address does not take this method", "该地址不支持此方法"),
    "payload_too_large": Code(413, "The request is too large", "请求内容过大"),
    "unsupported_media_type": Code(415, "This kind of content is not taken", "不支持的内容类型"),
    "validation_failed": Code(422, "A value is not one that is taken", "提交的内容不符合要求"),
    "rate_limited": Code(429, "Too many requests", "请求过于频繁"),
    "internal_error": Code(500, "Something went wrong here", "服务器内部错误"),
    "unavailable": Code(503, "Not available just now", "服务暂时不可用"),
    "idempotency_key_required": Code(428, "An idempotency key is needed", "缺少幂等键"),
    "idempotency_mismatch": Code(422, "This key was used for another request", "该幂等键已用于其他请求"),
    "idempotency_in_progress": Code(409, "This is being done already", "该请求正在处理中"),
    "precondition_required": Code(428, "Say which version you saw", "请说明您所见的版本"),
    "version_mismatch": Code(412, "It has changed since you saw it", "内容已被更改"),
    "event_read_only": Code(409, "An imported event cannot be changed here", "导入的日程无法在此修改"),
    "dialogue_not_waiting": Code(409, "No answer is awaited any more", "该对话不再等待回复"),
    "already_applied": Code(409, "This has been confirmed already", "该建议已被确认"),
    "already_undone": Code(409, "This has been undone already", "该更改已被撤销"),
    "preview_ignored": Code(409, "This suggestion was ignored", "该建议已被忽略"),
    "preview_superseded": Code(409, "A newer suggestion has taken its place", "该建议已被新的建议取代"),
    "preview_not_ready": Code(409, "This suggestion cannot be confirmed", "该建议目前无法确认"),
    "target_completed": Code(409, "The task is done already", "该任务已完成"),
    "target_already_scheduled": Code(409, "The task has its time already", "该任务已安排时间"),
    "slot_conflict": Code(409, "The place is no longer free", "该时段已被占用"),
    "expired": Code(410, "This suggestion has expired", "该建议已过期"),
    "base_version_changed": Code(412, "The calendar has changed since", "日程已发生变化"),
    "invalid_edited_changes": Code(422, "The edit does not fit the suggestion", "所作调整不符合该建议"),
    "unsupported_change_type": Code(422, "There is nothing to confirm", "没有可确认的更改"),
    "undo_not_possible": Code(409, "This can no longer be undone", "已无法撤销"),
}
