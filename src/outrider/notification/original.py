"""The message of the service that this one replaces, `notification.feishu.requested` v1, read as a request.

Invariant: a field that means something here is taken over or refused by its name, never guessed; unknown fields are
ignored. Source: spec/notification.md NT-48; spec/outbox.md OB-52, OB-71.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from outrider.core.canonical import parse_json
from outrider.core.errors import Undecodable
from outrider.core.notification.request import ORIGINAL, NotificationRequest
from outrider.notification.request import BODY_MAX, read_request

ORIGINAL_VERSIONS: Final = frozenset({"", "1", "v1"})

_RFC_3339: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,30}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MICROSECOND_DIGITS: Final = 6


class _Field(NamedTuple):
    there: str
    here: str
    read: Callable[[str, Any], Any]
    required: bool = False


def check_original_version(version: str | int) -> None:
    """Nothing where this is version 1. Raises Undecodable with code `version.unknown`: each start tries it again."""
    if str(version).strip() not in ORIGINAL_VERSIONS:
        raise Undecodable(f"{str(version)[:64]!a} of {ORIGINAL} cannot be read here", "version", "version.unknown")


def parse_original(
    body: bytes, version: str | int, request_id: UUID, now: datetime, feishu_route: Sequence[str]
) -> NotificationRequest:
    """The request in the bytes of the original's message, whose scope is kept as long as its record (NT-49).

    Raises Undecodable: `version.unknown`, or `body.invalid` with the name of the field as the original calls it.
    """
    check_original_version(version)
    fields = original_fields(parse_json(body, BODY_MAX), feishu_route)
    try:
        request = read_request(fields, request_id, now)
    except Undecodable as error:
        raise Undecodable(error.reason, _THERE.get(error.path, error.path), error.code) from None
    return replace(request, permanent_scope=True)


def original_fields(payload: object, feishu_route: Sequence[str]) -> dict[str, Any]:
    """The fields of NT-2 that `payload` gives, the absent ones left out; `requested_at` aware, in UTC.

    Raises Undecodable, code `body.invalid`, with the field's name as its path: a required field that is absent, or any of
    another type. Patterns and lengths of ids, and the link, are the request's own to check.
    """
    if not isinstance(payload, Mapping):
        raise Undecodable("must be an object", "$")
    request: dict[str, Any] = {}
    for field in _FIELDS:
        given = payload.get(field.there)
        value = None if given is None else field.read(field.there, given)
        if value is not None:
            request[field.here] = value
        elif field.required:
            raise Undecodable("is required", field.there)
    if ("subject_type" in request) != ("subject_id" in request):
        absent = "target_id" if "subject_type" in request else "target_type"
        raise Undecodable("is required where the other half of the target is given", absent)
    return request | {"route": {"always": [], "first_of": list(feishu_route)}, "priority": "normal"}


def _text(name: str, given: object) -> str | None:
    """Text, trimmed; None where nothing is left."""
    if not isinstance(given, str):
        raise Undecodable(f"must be text, not {type(given).__name__}", name)
    return given.strip() or None


def _id(name: str, given: object) -> str | None:
    """A number's decimal text, or the text that came in its place; None for 0 and for blank."""
    if isinstance(given, str):
        return _text(name, given)
    if not isinstance(given, int) or isinstance(given, bool):
        raise Undecodable(f"must be a whole number or text, not {type(given).__name__}", name)
    if given < 0:
        raise Undecodable("must not be negative", name)
    return str(given) if given else None


def _path(name: str, given: object) -> str | None:
    text = _text(name, given)
    if text is not None and not text.startswith("/"):
        raise Undecodable("must be a path with one leading slash", name)
    return text


def _instant(name: str, given: object) -> datetime | None:
    """An instant with its zone, in UTC, cut to microseconds."""
    text = _text(name, given)
    if text is None:
        return None
    found = _RFC_3339.fullmatch(text)
    try:
        if found is None:
            raise ValueError  # noqa: TRY301  one refusal for its form and for its figures
        day, clock, fraction, zone = found.groups()
        digits = (fraction or "0")[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
        return datetime.fromisoformat(f"{day}T{clock}.{digits}{zone.upper().replace('Z', '+00:00')}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise Undecodable("must be an RFC 3339 instant with its zone", name) from None


_FIELDS: Final = (
    _Field("notification_id", "notification_id", _id),
    _Field("user_id", "recipient_id", _id, required=True),
    _Field("preview_id", "correlation_id", _text, required=True),
    _Field("trigger_id", "causation_id", _text),
    _Field("trigger_type", "kind", _text, required=True),
    _Field("target_type", "subject_type", _text),
    _Field("target_id", "subject_id", _id),
    _Field("dedupe_key", "dedupe_key", _text, required=True),
    _Field("target_url", "target_url", _path, required=True),
    _Field("summary_text", "summary_text", _text),
    _Field("fallback_text", "fallback_text", _text),
    _Field("trace_id", "trace_id", _text),
    _Field("requested_at", "requested_at", _instant, required=True),
)
_THERE: Final = {field.here: field.there for field in _FIELDS}
