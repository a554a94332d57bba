"""A task as one line of a list."""

from collections.abc import Mapping
from typing import Any

from steward.web.reader import Reader

URGENT = frozenset({1, 3})


def task_line(task: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """Title, what it takes, when it is due, and whether it is urgent."""
    return {
        "task_id": task["task_id"],
        "title": task["title"],
        "status": task["status"],
        "line": line_of(task, reader),
        "urgent": task["status"] == "open" and task["effective_priority_group"] in URGENT,
    }


def line_of(task: Mapping[str, Any], reader: Reader) -> str:
    """`due Mon 23 Nov, 18:00 · 90 min · Important`."""
    parts = [reader.minutes(task["duration_minutes"]), reader.text(f"group.{task['effective_priority_group']}")]
    if task["deadline_at"] is not None:
        parts.insert(0, reader.text("task.due", moment=reader.moment(task["deadline_at"])))
    return " · ".join(parts)
