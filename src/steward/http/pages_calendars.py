"""The page of calendars: files and feeds. Source: spec/scheduling.md ST-16, ST-58."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from steward.domain.errors import StewardError, ValidationFailed
from steward.http.forms import field_errors
from steward.http.gate import IMPORT_BYTES_MAX, caller_of
from steward.http.page_gate import PageCall
from steward.http.page_routes import PageRoute
from steward.http.shown import calendar_file
from steward.web.notice import Notice, done, refused

FORM_MAX = IMPORT_BYTES_MAX + 65_536


async def calendars(call: PageCall) -> Response:
    """What was imported, and forms for more."""
    return await _page(call, done(call.query("done"), call.reader))


async def import_file(call: PageCall) -> Response:
    """Import a file."""
    text, file = call.form.get("calendar", ""), call.form.get("calendar.filename", "")
    if not text.strip():
        return await _page(call, refused("validation_failed", call.reader), [_no_file(call)], 422)
    name = call.form.get("name", "").strip() or file.removesuffix(".ics")[:255] or "calendar"
    return await _imported(call, call.steward.importing.import_text(call.caller, name, text.encode(), keyed=call.keyed))


async def add_feed(call: PageCall) -> Response:
    """Add a link."""
    values = {"url": call.form.get("url", "").strip(), "name": call.form.get("name", "").strip()}
    return await _imported(call, call.steward.importing.add_feed(call.caller, values, keyed=call.keyed))


async def refresh(call: PageCall) -> Response:
    """Read a link again."""
    return await _imported(call, call.steward.importing.refresh(call.caller, call.part(), keyed=call.keyed))


async def remove(call: PageCall) -> Response:
    """Remove one with its events."""
    await call.steward.importing.remove(call.caller, call.part(), keyed=call.keyed)
    return call.see("/calendars?done=calendars.removed")


async def subscribe(call: PageCall) -> Response:
    """Make the link under which a calendar program reads the blocks; the one before ends."""
    await call.steward.links.revoke(call.caller.user_id, "calendar")
    made = await call.steward.links.make_calendar(call.caller.user_id)
    return await _page(call, None, subscription=call.steward.http.public_url + made["path"])


async def subscribed(call: PageCall) -> Response:
    """The blocks, for a calendar program that has the link."""
    link = await call.steward.links.open(call.part("token"), "calendar")
    caller = caller_of(link.identity, call.request, call.steward, call.caller.request_id)
    return calendar_file(await call.steward.exporting.calendar_ics(caller), "steward")


async def _imported(call: PageCall, importing: Any) -> Response:  # noqa: ANN401  an awaitable answer
    try:
        answer = await importing
    except (ValidationFailed, StewardError) as error:
        if not field_errors(error, call.reader):
            raise
        return await _page(call, refused("validation_failed", call.reader), field_errors(error, call.reader), 422)
    body = answer.body
    if "added" not in body:
        return call.see("/calendars?done=form.saved")
    lines = [call.reader.text("calendars.refused", count=len(body["refused"]))] if body.get("refused") else []
    counts = {name: body[name] for name in ("added", "changed", "cancelled", "equal")}
    return await _page(call, Notice("done", call.reader.text("calendars.result", **counts), lines))


async def _page(
    call: PageCall,
    notice: Notice | None,
    errors: Sequence[Mapping[str, str]] = (),
    status: int = 200,
    subscription: str = "",
) -> Response:
    page = await call.steward.importing.list(call.caller, limit=200)
    sources = [{**source, "line": _line(call, source)} for source in page["items"]]
    return call.html("calendars", status, sources=sources, notice=notice, errors=errors, subscription=subscription)


def _line(call: PageCall, source: Mapping[str, Any]) -> str:
    kind = call.reader.text(f"calendars.kind_{source['kind']}", minutes=source.get("refresh_minutes"))
    if source.get("last_status") == "failed":
        kind += " · " + call.reader.text("calendars.failed", reason=source.get("last_error") or "")
    return kind


def _no_file(call: PageCall) -> dict[str, str]:
    return {"field": "calendar", "message": call.reader.text("calendars.no_file")}


CALENDAR_PAGES = (
    PageRoute("GET", "/calendars", "signed_in", calendars),
    PageRoute("POST", "/calendars", "signed_in", add_feed),
    PageRoute("POST", "/calendars/import", "signed_in", import_file, FORM_MAX),
    PageRoute("POST", "/calendars/subscription", "signed_in", subscribe),
    PageRoute("GET", "/c/{token}.ics", "anyone", subscribed),
    PageRoute("POST", "/calendars/{id}/refresh", "signed_in", refresh),
    PageRoute("POST", "/calendars/{id}/delete", "signed_in", remove),
)
