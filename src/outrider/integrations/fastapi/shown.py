"""Values as JSON. Source: spec/notification.md §12."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse

from outrider.core.pages import Page
from outrider.notification.operations.channels import ChannelView


def plain(value: object) -> Any:  # noqa: ANN401  JSON is of any kind
    """A value as JSON has it: instants as RFC 3339 in UTC, spans in seconds."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return value


def answer(value: object, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer of this value."""
    return JSONResponse(plain(value), headers=dict(headers or {}))


def page_of(found: Page[Any], shown: Any = plain) -> JSONResponse:  # noqa: ANN401  a function
    """A page."""
    return JSONResponse({"items": [shown(one) for one in found.items], "next_cursor": found.next_cursor})


def channel_of(view: ChannelView) -> dict[str, Any]:
    """Settings, masked: what is not set is left out where the table of §12 marks it so."""
    shown: dict[str, Any] = plain(view)
    values = shown.pop("values") or {}
    optional = ("webhook_url_mask", "reason", "last_test_status", "last_test_error", "last_test_at")
    return {name: value for name, value in shown.items() if value is not None or name not in optional} | values
