"""A task as one line of a list, and which task comes first."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from steward.web.reader import Reader

URGENT: Final = frozenset({1, 3})
IMPORTANT: Final = frozenset({1, 2})


def task_lines(tasks: Iterable[Mapping[str, Any]], reader: Reader) -> list[dict[str, Any]]:
    """Each task with title, when it is due, what it takes and whether it matters; what presses most comes first."""
    return [_line(task, reader) for task in sorted(tasks, key=_pressing)]


def line_of(task: Mapping[str, Any], reader: Reader) -> str:
    """`due Mon 23 Nov, 18:00 · 90 min · Important`."""
    return " · ".join([*_facts(task, reader), reader.text(f"group.{task['effective_priority_group']}")])


def _line(task: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    group = task["effective_priority_group"]
    matters = [reader.text("group.2")] if group in IMPORTANT else []
    return {
        "task_id": task["task_id"],
        "title": task["title"],
        "status": task["status"],
        "line": " · ".join([*_facts(task, reader), *matters]),
        "urgent": task["status"] == "open" and group in URGENT,
    }


def _facts(task: Mapping[str, Any], reader: Reader) -> list[str]:
    due = [] if task["deadline_at"] is None else [reader.text("task.due", moment=reader.moment(task["deadline_at"]))]
    return [*due, reader.minutes(task["duration_minutes"])]


def _pressing(task: Mapping[str, Any]) -> tuple[bool, str]:
    """By deadline, as text in UTC; what has none comes last, in the order that it had."""
    return task["deadline_at"] is None, task["deadline_at"] or ""
