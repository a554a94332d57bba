"""What a form's fields say, as the values that services take. Source: spec/scheduling.md ST-6, §12.

Invariant: times of a form are the reader's wall clock; an empty field clears.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from steward.domain.errors import ValidationFailed
from steward.http.refusals import InvalidFields
from steward.web.catalog import has_message
from steward.web.reader import Reader

MOMENTS: Final = ("deadline_at", "urgency_threshold_at", "earliest_start_at")
FLAGS: Final = ("splittable", "allow_late")
_WINDOW: Final = re.compile(r"\s*([0-2]?\d:[0-5]\d)\s*[-–]\s*([0-2]?\d:[0-5]\d)\s*")


def task_values(form: Mapping[str, str], reader: Reader) -> dict[str, object]:
    """The fields of a task's form."""
    values: dict[str, object] = {
        "title": form.get("title", "").strip(),
        "note": form.get("note", "").strip() or None,
        "duration_minutes": number(form, "duration_minutes"),
        "priority_group": number(form, "priority_group"),
    }
    values |= {name: moment(form, name, reader) for name in MOMENTS}
    return values | {name: name in form for name in FLAGS}


def number(form: Mapping[str, str], name: str) -> int:
    """A whole number. Raises ValidationFailed."""
    text = form.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004  no number here is longer
        raise ValidationFailed(name, "a whole number")
    return int(text)


def moment(form: Mapping[str, str], name: str, reader: Reader) -> str | None:
    """An instant from a local time, or none. Raises ValidationFailed."""
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=reader.tzinfo).isoformat()
    except ValueError:
        raise ValidationFailed(name, "a date and a time") from None


def settings_values(form: Mapping[str, str], grid: Mapping[str, Any]) -> dict[str, object]:
    """The fields of the settings' form; the grid keeps what the form does not show."""
    windows = {str(day): _windows(form.get(f"window-{day}", ""), f"window-{day}") for day in range(1, 8)}
    return {
        "zone": form.get("zone", ""),
        "locale": form.get("locale", ""),
        "suggestions": "suggestions" in form,
        "share_titles": "share_titles" in form,
        "grid": {
            **grid,
            "windows": windows,
            "buffer_minutes": number(form, "buffer_minutes"),
            "freeze_minutes": number(form, "freeze_minutes"),
        },
    }


def windows_text(windows: list[list[str]]) -> str:
    """`09:00-12:00, 13:00-18:00`."""
    return ", ".join(f"{opens}-{closes}" for opens, closes in windows)


def as_filled(form: Mapping[str, str], reader: Reader) -> dict[str, object]:
    """A task's form as it was filled in, for showing it again."""
    filled: dict[str, object] = dict(form)
    for name in MOMENTS:
        try:
            filled[name] = moment(form, name, reader)
        except ValidationFailed:
            filled[name] = None
    for name in ("duration_minutes", "priority_group"):
        filled[name] = int(form[name]) if form.get(name, "").isascii() and form.get(name, "").isdigit() else None
    return dict.fromkeys(("title", "note", *MOMENTS)) | filled | {name: name in form for name in FLAGS}


def field_errors(error: Exception, reader: Reader) -> list[dict[str, str]]:
    """Which field is refused, and what to write there, in the reader's language where the page has words of its own."""
    match error:
        case ValidationFailed():
            return [{"field": error.field, "message": _wrong(error.field, error.reason, reader)}]
        case InvalidFields():
            return [{"field": field, "message": _wrong(field, reason, reader)} for field, reason in error.problems]
        case _:
            return []


def _wrong(field: str, reason: str, reader: Reader) -> str:
    name = f"wrong.{'windows' if field.startswith(('window-', 'grid.')) else field}"
    return reader.text(name) if has_message(name) else reason


def _windows(text: str, name: str) -> list[list[str]]:
    found = []
    for part in text.replace("，", ",").replace("、", ",").split(","):
        if not part.strip():
            continue
        said = _WINDOW.fullmatch(part)
        if said is None:
            raise ValidationFailed(name, "09:00-12:00, 13:00-18:00")
        found.append([said[1].zfill(5), said[2].zfill(5)])
    return found
