"""What is answered, as JSON Schema for the OpenAPI document, from the values shown. Source: spec/notification.md §12."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from outrider.integrations.fastapi.bodies import Schema
from outrider.notification.operations.channels import ChannelView
from outrider.notification.operations.destinations import DestinationView
from outrider.notification.operations.preferences import PreferenceView
from outrider.notification.operations.records import Replayed
from outrider.notification.operations.trying import Tried
from outrider.notification.operations.views import AttemptView, RecordView
from outrider.notification.store.inbox import InboxItem

OPTIONAL: Final = ("webhook_url_mask", "reason", "last_test_status", "last_test_error", "last_test_at")
"""Of a channel's settings: left out where they are not set."""
_TEXT: Final[Schema] = {"type": "string"}
_UUID: Final[Schema] = {"type": "string", "format": "uuid"}


def said(**properties: Schema) -> Schema:
    """An object with all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def listed(item: Schema) -> Schema:
    """All there are."""
    return said(items={"type": "array", "items": item})


def paged(item: Schema) -> Schema:
    """A page of them."""
    return said(items={"type": "array", "items": item}, next_cursor={"type": ["string", "null"]})


def shown(kind: Any, *without: str) -> Schema:  # noqa: ANN401  a dataclass
    """What `shown.plain` makes of a value: every field but these."""
    fields: Mapping[str, Any] = TypeAdapter(kind).json_schema(mode="serialization")["properties"]
    return said(**{name: _untitled(schema) for name, schema in fields.items() if name not in without})


def _untitled(schema: Mapping[str, Any]) -> Schema:
    """The schema without a name for each part, and without defaults: all is always said."""
    return {key: value for key, value in schema.items() if key not in {"title", "default"}}


_CHANNEL: Final = shown(ChannelView, "values")
CHANNEL: Final[Schema] = {
    **_CHANNEL,
    "required": [name for name in _CHANNEL["required"] if name not in OPTIONAL],
    "additionalProperties": _TEXT,
}
CHANNELS: Final = listed(CHANNEL)
PREFERENCES: Final = shown(PreferenceView)
TRIED: Final = shown(Tried)
DELETED: Final = said(deleted={"const": True})
INBOX: Final = paged(shown(InboxItem))
UNREAD: Final = said(unread={"type": "integer", "minimum": 0})
READ_ALL: Final = said(read={"const": True})
READ: Final = said(id=_TEXT, read={"const": True})
ARCHIVED: Final = said(id=_TEXT, archived={"const": True})
RECORD: Final = shown(RecordView, "attempts")
RECORDS: Final = paged(RECORD)
ATTEMPTS: Final = listed(shown(AttemptView))
ASKED: Final = said(
    request_id=_UUID,
    records={
        "type": "array",
        "items": said(id=_UUID, channel=_TEXT, status=_TEXT, reused={"type": "boolean"}),
    },
)
REPLAYED: Final = shown(Replayed)
ENDED: Final = said(id=_UUID, status=_TEXT)
DESTINATIONS: Final = listed(shown(DestinationView))
PAUSED: Final = said(key=_TEXT, state={"const": "paused"})
RESUMED: Final = said(key=_TEXT, state={"const": "closed"}, released={"type": "integer", "minimum": 0})
