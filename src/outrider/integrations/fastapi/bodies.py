"""What bodies and parameters may say, as JSON Schema for the OpenAPI document. Source: spec/notification.md NT-2, §11, §12.

Invariant: a schema refuses nothing that is taken; what more is refused (an unknown zone, an unsafe URL) the answer tells.
"""

from collections.abc import Mapping
from typing import Any, Final

from outrider.integrations.fastapi.reading import LIMIT, LIMIT_MAX, REASON_MAX, TEXT_MAX, TEXTS, TIMES
from outrider.notification.operations.forms import FORMS, WEBHOOK
from outrider.notification.operations.forms import TEXT_MAX as SETTING_MAX
from outrider.notification.operations.preferences import NAMES_MAX, SPANS_MAX
from outrider.notification.reopening import ReplayMode
from outrider.notification.request import DEDUPE_KEY_MAX, IDS, URL_MAX
from outrider.notification.states import KNOWN

Schema = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
CHANNEL: Final[Schema] = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$"}


def exactly(properties: Mapping[str, Schema], *required: str, **more: object) -> Schema:
    """An object that has nothing else."""
    return {
        "type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": False, **more,
    }  # fmt: skip


def or_null(schema: Schema) -> Schema:
    """The same, or null, which is as good as left out."""
    return {"anyOf": [schema, {"type": "null"}]}


def name(characters: int) -> Schema:
    """An id of visible ASCII."""
    return {"type": "string", "pattern": f"^[!-~]{{1,{characters}}}$"}


def names(of: Schema, most: int) -> Schema:
    """A list of them, each once."""
    return {"type": "array", "items": of, "uniqueItems": True, "maxItems": most}


def _settings(*forms: Any) -> Schema:  # noqa: ANN401  forms of channels
    text = {"type": "string", "maxLength": SETTING_MAX}
    shown = {one: text for form in forms for one in form.values}
    secret = {one: or_null(text) for form in forms for one in form.secrets}
    return exactly({"enabled": {"type": "boolean"}, **shown, **secret})


_LISTED: Final[Schema] = {"type": "array", "items": CHANNEL, "uniqueItems": True}
ASKED: Final[Schema] = {
    "type": "object",
    "required": ["recipient_id", "kind", "requested_at"],
    "properties": {
        **{one: or_null(name(most)) for one, most in IDS.items()},
        "recipient_id": name(IDS["recipient_id"]),
        "kind": name(IDS["kind"]),
        "requested_at": INSTANT,
        **dict.fromkeys(("deliver_at", "expires_at"), or_null(INSTANT)),
        **dict.fromkeys(("notification_id", "title", "summary_text", "fallback_text"), or_null(TEXT)),
        "target_url": or_null({"type": "string", "maxLength": URL_MAX}),
        "dedupe_key": or_null({"type": "string", "minLength": 1, "maxLength": DEDUPE_KEY_MAX}),
        "data": or_null({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}),
        "priority": or_null({"type": "string", "pattern": "^(?i:urgent|normal|low)$"}),
        "route": or_null({"type": "object", "properties": {"always": or_null(_LISTED), "first_of": or_null(_LISTED)}}),
    },
}
PERSONAL: Final = _settings(WEBHOOK)
ANY_CHANNEL: Final = _settings(WEBHOOK, *FORMS.values())
_TIME: Final[Schema] = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_SPAN: Final = exactly(
    {"weekday": {"type": "integer", "minimum": 0, "maximum": 6}, "start": _TIME, "end": _TIME},
    "weekday", "start", "end",
)  # fmt: skip
PREFERENCES: Final = exactly(
    {
        "zone": TEXT,
        "locale": {"type": "string", "pattern": "^[A-Za-z0-9-]{1,16}$"},
        "quiet": or_null({"type": "array", "items": _SPAN, "maxItems": SPANS_MAX}),
        "order": or_null(names(name(64), NAMES_MAX)),
        "muted": or_null(exactly({"channels": names(name(64), NAMES_MAX), "kinds": names(name(64), NAMES_MAX)})),
    }
)
_MODE: Final[Schema] = {"type": "string", "enum": [str(one) for one in ReplayMode]}
_STATUS: Final[Schema] = {"type": "string", "enum": sorted(KNOWN)}
_FILTER_TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX}
_FILTER: Final[Mapping[str, Schema]] = {
    **dict.fromkeys(TEXTS, _FILTER_TEXT),
    "status": _STATUS,
    **dict.fromkeys(TIMES, INSTANT),
}
REPLAY: Final = exactly({"mode": _MODE}, "mode")
REPLAY_MATCHING: Final = exactly(
    {
        "filter": exactly({one: or_null(schema) for one, schema in _FILTER.items()}, minProperties=1),
        "mode": _MODE,
        "dry_run": {"type": "boolean"},
        "cursor": or_null(TEXT),
    },
    "filter",
    "mode",
)
_REASON: Final[Schema] = {"type": "string", "maxLength": REASON_MAX}
RESOLVE: Final = exactly(
    {"as": {"type": "string", "enum": ["sent", "dead"]}, "note": {**_REASON, "pattern": "\\S"}}, "as", "note"
)
REASON: Final = exactly({"reason": or_null(_REASON)})
NOTHING: Final = exactly({})

QUERY: Final[Mapping[str, Schema]] = {
    **_FILTER,
    "limit": {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT},
    "cursor": TEXT,
    "unread": {"type": "string", "enum": ["true", "false", "1", "0", ""]},
}
"""Parameters of queries."""
PATH: Final[Mapping[str, Schema]] = {
    "channel": TEXT,
    "id": {"type": "string", "format": "uuid"},
    "key": {"type": "string", "pattern": "^[0-9a-f]+$"},
    "recipient_id": name(IDS["recipient_id"]),
}
"""Parts of paths."""
