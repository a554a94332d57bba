"""What a field takes, said once for every value that comes from outside.

Invariant: each check returns what it was given, or raises ValidationFailed with the field's name. Source: §18.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from steward.domain.errors import ValidationFailed

YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2200
TITLE_CHARACTERS_MAX: Final = 255
NOTE_CHARACTERS_MAX: Final = 4000


def whole(value: object, field: str, least: int, greatest: int) -> int:
    """A whole number from `least` to `greatest`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
        raise ValidationFailed(field, f"a whole number from {least} to {greatest}")
    return value


def one_of(value: str, field: str, known: Collection[str]) -> str:
    """One of the known words."""
    if value not in known:
        raise ValidationFailed(field, f"one of {', '.join(sorted(known))}")
    return value


def text(value: object, field: str, greatest: int, *, least: int = 1) -> str:
    """Text that a database stores as it is: no NUL, no lone surrogate, within its length in characters."""
    if not isinstance(value, str) or not least <= len(value) <= greatest or (least and not value.strip()):
        raise ValidationFailed(field, f"text of {least} to {greatest} characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValidationFailed(field, "text without NUL and lone surrogates")
    return value


def instant(value: datetime, field: str) -> datetime:
    """An aware instant of the years 1970 to 2200, in UTC."""
    if value.utcoffset() is None:
        raise ValidationFailed(field, "a time needs its offset from UTC")
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        raise ValidationFailed(field, f"a time of the years {YEAR_MIN} to {YEAR_MAX}") from None
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise ValidationFailed(field, f"a time of the years {YEAR_MIN} to {YEAR_MAX}")
    return value


def optional_instant(value: datetime | None, field: str) -> datetime | None:
    """An instant, or none."""
    return None if value is None else instant(value, field)


def zone(name: str, field: str = "zone") -> ZoneInfo:
    """The zone of this IANA name."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError, TypeError):
        raise ValidationFailed(field, "the IANA name of a zone, such as Asia/Shanghai") from None
