"""Preferences of a recipient, from their row: quiet hours, the order of channels, mutes.

Invariant: what a row holds was checked when it was saved; what cannot be read counts as not set, so that nobody goes
untold for a bad preference. Source: spec/notification.md NT-7, NT-31, §9.

JSON forms: `quiet` `[{"weekday": 0, "start": "22:00", "end": "07:00"}, …]` (0 is Monday), `order` a list of channels, `muted`
`{"channels": […], "kinds": […]}`.
"""

from dataclasses import dataclass
from datetime import datetime, time
from json import loads
from typing import Any

from outrider.notification.policy import is_zone
from outrider.notification.quiet import QuietHours, QuietSpan
from outrider.notification.route import Preference


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """A row of `notification_preference`; JSON columns as text."""

    recipient_id: str
    zone: str
    locale: str
    quiet_json: str | None
    order_json: str | None
    muted_json: str | None
    version: int
    updated_at: datetime


def preference_of(row: PreferenceRow | None) -> Preference:
    """The order and the mutes."""
    if row is None:
        return Preference()
    order = loads(row.order_json) if row.order_json else []
    muted = loads(row.muted_json) if row.muted_json else {}
    return Preference(tuple(order), frozenset(muted.get("channels", ())), frozenset(muted.get("kinds", ())))


def quiet_of(row: PreferenceRow | None) -> QuietHours | None:
    """The quiet hours, None without any."""
    if row is None or not row.quiet_json or not is_zone(row.zone):
        return None
    return QuietHours(row.zone, read_spans(loads(row.quiet_json)))


def read_spans(value: Any) -> tuple[QuietSpan, ...]:  # noqa: ANN401  JSON is any value
    """Quiet spans from their JSON form. Raises ValueError for anything else: settings are checked with it."""
    try:
        spans = tuple(
            QuietSpan(one["weekday"], time.fromisoformat(one["start"]), time.fromisoformat(one["end"])) for one in value
        )
    except (TypeError, KeyError) as error:
        raise ValueError("quiet hours are a list of weekday, start and end") from error
    if not all(type(one.weekday) is int and 0 <= one.weekday <= 6 for one in spans):  # noqa: PLR2004  Monday to Sunday
        raise ValueError("a weekday is 0 (Monday) to 6")
    return spans
