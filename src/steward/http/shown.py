"""Answers of reads, with their version as ETag."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from steward.service.answer import Answer

CALENDAR = "text/calendar"


def with_etag(body: Mapping[str, Any], field: str) -> Answer:
    """The body, under this field's value."""
    return Answer(200, body, etag=str(body[field]))


def calendar_file(text: bytes, name: str) -> Response:
    """An iCalendar file."""
    return Response(
        text,
        media_type=f"{CALENDAR}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.ics"'},
    )
