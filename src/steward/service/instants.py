"""Times and dates as text: RFC 3339 in, with whatever offset, and out in UTC.

Invariant: what is written reads back as the same instant; a time without an offset is refused. Source: §12, §18.
"""

import re
from datetime import UTC, date, datetime
from typing import Final

from steward.domain.checks import instant
from steward.domain.errors import ValidationFailed

_FORM: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_EXAMPLE: Final = "a time as 2026-11-23T10:30:00Z, with its offset"


def parse_instant(value: object, field: str) -> datetime:
    """The instant, in UTC and whole microseconds. ValidationFailed names the field."""
    if not isinstance(value, str) or not _FORM.fullmatch(value):
        raise ValidationFailed(field, _EXAMPLE)
    try:
        return instant(datetime.fromisoformat(value.upper()), field)
    except ValueError:
        raise ValidationFailed(field, _EXAMPLE) from None


def parse_date(value: object, field: str) -> date:
    """The day of `2026-11-23`. ValidationFailed names the field."""
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValidationFailed(field, "a date as 2026-11-23")


def instant_text(moment: datetime) -> str:
    """`2026-11-23T10:30:00Z`, with six more digits where it is no whole second."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text.removesuffix(".000000") + "Z"


def optional_text(moment: datetime | None) -> str | None:
    """The same, or none."""
    return None if moment is None else instant_text(moment)
