"""Rows of every kind, each field with a value that is not its default."""

from dataclasses import fields
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Column

from steward.storage.tables import TABLES
from steward.storage.types import Canonical, Day, Flag, Instant, Key, WideKey, Words
from tests.integration.steward.parts import NOON

MOMENT = NOON + timedelta(microseconds=123_456)
VALUE = {"title": "Übung 课程 🚲", "b": [1, 2.5, None, True], "a": {"é": "\u2028", "z": ""}}
LISTED = {
    "role": "admin", "kind": "feed", "all_day_busy": "never", "last_status": "failed", "mobility": "pinned",
    "origin": "steward", "task_source_type": "task_item", "purpose": "act", "source": "user_feedback",
    "trigger_type": "unfinished_feedback", "target_type": "schedule_event", "priority_group": 4,
}  # fmt: skip
STATUS = {
    "steward_task": "completed", "steward_event": "cancelled", "steward_job": "failed", "steward_trigger": "closed",
    "steward_preview": "undone", "steward_apply": "rejected", "steward_dialogue": "rerunning",
}  # fmt: skip


def full_row(kind: type[Any]) -> Any:  # noqa: ANN401  a row of that kind
    """A row whose every field has the longest or oddest value that it takes."""
    table = TABLES[kind]
    values = {field.name: _value(table.name, table.c[field.name]) for field in fields(kind)}
    if table.name == "steward_feedback":
        values["kind"] = "unfinished"
    return kind(**values)


def _value(table: str, column: Column[Any]) -> Any:  # noqa: ANN401, PLR0911  of any type
    if column.name == "status":
        return STATUS[table]
    if column.name in LISTED:
        return LISTED[column.name]
    match column.type:
        case Key():
            return "k" * (column.type.length or 1)
        case WideKey():
            return "🚲" * (column.type.length or 1)
        case Words():
            return "ü🚲'\"\\\n%s :x" + "课" * ((column.type.length or 100_000) - 13)
        case Canonical():
            return VALUE
        case Instant():
            return MOMENT
        case Day():
            return date(2200, 12, 31)
        case Flag():
            return column.server_default is None or "true" not in str(column.server_default.arg)  # type: ignore[attr-defined]
    return 32_767
