"""Reading a request from JSON, and refusing what breaks its rule. Source: spec/notification.md NT-2, §11.

Invariant: nothing is cut to fit: a shortened id or key would merge what is not the same.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from outrider.core.canonical import parse_json
from outrider.core.errors import Undecodable
from outrider.core.notification.content import Priority
from outrider.core.notification.request import NotificationRequest, Route, Scalar

BODY_MAX: Final = 32 * 1024
DEPTH_MAX: Final = 16
DELIVER_AHEAD_MAX: Final = timedelta(days=30)
URL_MAX: Final = 2_048
DEDUPE_KEY_MAX: Final = 191
IDS: Final = {
    "recipient_id": 64, "kind": 64, "subject_type": 64, "subject_id": 64, "correlation_id": 128, "causation_id": 128,
    "trace_id": 128, "locale": 16,
}  # fmt: skip
"""Fields that are ids, each with the most characters; of visible ASCII, 0x21 to 0x7E."""
_REQUIRED: Final = ("recipient_id", "kind", "requested_at")
_TEXTS: Final = ("target_url", "title", "summary_text", "fallback_text")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_CHANNEL: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def parse_request(body: bytes, request_id: UUID, now: datetime) -> NotificationRequest:
    """The request in the bytes of a `notification.requested` v1. Raises Undecodable, whose path names the field."""
    value = parse_json(body, BODY_MAX)
    if not isinstance(value, dict):
        raise Undecodable("not an object")
    if _depth(value) > DEPTH_MAX:
        raise Undecodable(f"deeper than {DEPTH_MAX}")
    return read_request(value, request_id, now)


def read_request(value: Mapping[str, Any], request_id: UUID, now: datetime) -> NotificationRequest:
    """The request in a JSON object; fields that are not known are ignored (OB-71).

    Null is absent. Raises Undecodable, whose path names the first field that breaks its rule; a `deliver_at` more than
    30 days after `now` is one.
    """
    for name in _REQUIRED:
        if value.get(name) is None:
            raise Undecodable("is required", path=name)
    deliver_at = read_instant(value, "deliver_at")
    if deliver_at is not None and deliver_at - now > DELIVER_AHEAD_MAX:
        raise Undecodable(f"more than {DELIVER_AHEAD_MAX.days} days ahead", path="deliver_at")
    requested_at = read_instant(value, "requested_at")
    if requested_at is None:
        raise Undecodable("is required", path="requested_at")
    ids = {name: read_id(value, name) for name in IDS}
    texts = {name: read_text(value, name) for name in _TEXTS}
    if texts["target_url"] is not None and len(texts["target_url"]) > URL_MAX:
        raise Undecodable(f"over {URL_MAX} characters", path="target_url")
    return NotificationRequest(
        request_id=request_id,
        recipient_id=ids["recipient_id"] or "",
        kind=ids["kind"] or "",
        requested_at=requested_at,
        notification_id=read_text(value, "notification_id"),
        subject_type=ids["subject_type"],
        subject_id=ids["subject_id"],
        correlation_id=ids["correlation_id"],
        causation_id=ids["causation_id"],
        dedupe_key=read_dedupe_key(value),
        target_url=texts["target_url"],
        title=texts["title"],
        summary_text=texts["summary_text"],
        fallback_text=texts["fallback_text"],
        data=_data(value),
        priority=_priority(value),
        route=_route(value),
        locale=ids["locale"],
        deliver_at=deliver_at,
        expires_at=read_instant(value, "expires_at"),
        trace_id=ids["trace_id"],
    )


def read_id(value: Mapping[str, Any], name: str) -> str | None:
    """A field of `IDS`, or None."""
    text = read_text(value, name)
    if text is not None and (len(text) > IDS[name] or _VISIBLE.fullmatch(text) is None):
        raise Undecodable(f"must be 1 to {IDS[name]} visible ASCII characters without space", path=name)
    return text


def read_text(value: Mapping[str, Any], name: str) -> str | None:
    """A text field, or None. NUL, which no database keeps, stays for the text rules to remove."""
    text = value.get(name)
    if text is not None and not isinstance(text, str):
        raise Undecodable("must be text", path=name)
    return text


def read_dedupe_key(value: Mapping[str, Any]) -> str | None:
    """The key, at most 191 characters without control characters, never cut."""
    key = read_text(value, "dedupe_key")
    if key is not None and not (0 < len(key) <= DEDUPE_KEY_MAX and key.isprintable()):
        raise Undecodable(f"must be 1 to {DEDUPE_KEY_MAX} printable characters", path="dedupe_key")
    return key


def read_instant(value: Mapping[str, Any], name: str) -> datetime | None:
    """An RFC 3339 instant with its zone, cut to microseconds, or None."""
    text = value.get(name)
    if text is None:
        return None
    if isinstance(text, datetime) and text.utcoffset() is not None:
        return text
    if not isinstance(text, str) or _INSTANT.fullmatch(text) is None:
        raise Undecodable("must be an RFC 3339 instant with its zone", path=name)
    try:
        found = datetime.fromisoformat(text.upper())
        found.astimezone(UTC)  # of the first or last day of the calendar it may have no name there
    except (ValueError, OverflowError):
        raise Undecodable("no such instant", path=name) from None
    return found


def _data(value: Mapping[str, Any]) -> Mapping[str, Scalar]:
    data = value.get("data")
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(one is None or isinstance(one, Scalar) for one in data.values()):
        raise Undecodable("must be a flat object", path="data")
    return data


def _priority(value: Mapping[str, Any]) -> Priority:
    said = value.get("priority")
    if said is None:
        return Priority.NORMAL
    if not isinstance(said, str) or said.upper() not in Priority.__members__:
        raise Undecodable("must be urgent, normal or low", path="priority")
    return Priority[said.upper()]


def _route(value: Mapping[str, Any]) -> Route | None:
    said = value.get("route")
    if said is None:
        return None
    if not isinstance(said, dict):
        raise Undecodable("must be an object", path="route")
    route = Route(always=_channels(said, "always"), first_of=_channels(said, "first_of"))
    if not route.always and not route.first_of:
        raise Undecodable("names no channel", path="route")
    return route


def _channels(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = said.get(name)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(one, str) and _CHANNEL.fullmatch(one) for one in found):
        raise Undecodable("must be a list of channels", path=f"route.{name}")
    if len(found) != len(set(found)):
        raise Undecodable("names a channel twice", path=f"route.{name}")
    return tuple(found)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
