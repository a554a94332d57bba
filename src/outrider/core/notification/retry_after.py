"""What a provider says about when to come back, read from an answer's headers. Source: spec/notification.md NT-18."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER: Final = "retry-after"
LONGEST: Final = timedelta(days=366)
_DIGITS_MAX: Final = 10


def retry_after(headers: Mapping[str, str], now: datetime, reset_headers: Iterable[str] = ()) -> timedelta | None:
    """The lower bound that an answer gives, or None where it gives none that can be read. Never negative.

    `headers` have lower-case names. `reset_headers` are the provider's own, in seconds to wait; they are read first, then
    Retry-After: seconds, or an HTTP date, which is measured from the answer's own `Date` where there is one, so that a
    wrong clock of ours shortens nothing, else from `now`.
    """
    for name in reset_headers:
        if (found := _seconds(headers.get(name, ""))) is not None:
            return found
    said = headers.get(RETRY_AFTER, "")
    if (found := _seconds(said)) is not None:
        return found
    until = _moment(said)
    if until is None:
        return None
    return min(max(until - (_moment(headers.get("date", "")) or now), timedelta(0)), LONGEST)


def _seconds(text: str) -> timedelta | None:
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS_MAX:
        return None
    return timedelta(seconds=min(int(digits), LONGEST // timedelta(seconds=1)))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo is not None else None
