"""Routes of events, calendars and settings. Source: spec/scheduling.md §12, ST-16, ST-17."""

from typing import Any

from starlette.responses import Response

from steward.http import answers
from steward.http.gate import Call
from steward.http.models import EventChanges, NewEvent, NewFeed, Nothing, SettingsChanges
from steward.http.routes import Route
from steward.http.shown import CALENDAR, calendar_file, with_etag
from steward.service.answer import Answer


async def list_events(call: Call) -> Any:  # noqa: ANN401  JSON
    """My events, those that reach into a time where `from` and `to` name one."""
    return await call.steward.events.list(call.caller, **call.page, from_=call.query("from"), to=call.query("to"))


async def create_event(call: Call) -> Answer:
    """Enter an event of mine, or a block by hand."""
    return await call.steward.events.create(call.caller, call.said, keyed=call.keyed)


async def get_event(call: Call) -> Answer:
    """One event."""
    return with_etag(await call.steward.events.get(call.caller, call.part()), "version")


async def edit_event(call: Call) -> Answer:
    """Change an event of mine; a flexible block is pinned by it."""
    return await call.steward.events.edit(call.caller, call.part(), call.said, if_match=call.if_match)


async def delete_event(call: Call) -> Answer:
    """Cancel an event of mine."""
    return await call.steward.events.delete(call.caller, call.part(), if_match=call.if_match)


async def list_calendars(call: Call) -> Any:  # noqa: ANN401  JSON
    """The calendars that I imported."""
    return await call.steward.importing.list(call.caller, **call.page)


async def add_feed(call: Call) -> Answer:
    """Add a feed that is read again and again."""
    return await call.steward.importing.add_feed(call.caller, call.said, keyed=call.keyed)


async def import_calendar(call: Call) -> Answer:
    """Import a file of `text/calendar`; one of the same name takes the earlier one's place."""
    return await call.steward.importing.import_text(
        call.caller,
        call.query("name") or "calendar",
        call.body,
        all_day_busy=call.query("all_day_busy") or "transp",
        keyed=call.keyed,
    )


async def refresh_calendar(call: Call) -> Answer:
    """Read a feed now."""
    return await call.steward.importing.refresh(call.caller, call.part(), keyed=call.keyed)


async def remove_calendar(call: Call) -> Answer:
    """Remove an imported calendar with its events."""
    return await call.steward.importing.remove(call.caller, call.part())


async def export_calendar(call: Call) -> Response:
    """My blocks as a calendar file."""
    return calendar_file(await call.steward.exporting.calendar_ics(call.caller), "steward")


async def export_preview(call: Call) -> Response:
    """The day after a candidate as a calendar file."""
    text = await call.steward.exporting.preview_ics(call.caller, call.part(), call.query("candidate_id"))
    return calendar_file(text, "preview")


async def get_settings(call: Call) -> Answer:
    """My zone, language, working hours and choices."""
    return with_etag(await call.steward.settings.get(call.caller), "version")


async def edit_settings(call: Call) -> Answer:
    """Change them."""
    return await call.steward.settings.edit(call.caller, call.said, if_match=call.if_match)


_WRITES = ("slot_conflict",)
CALENDARS = (
    Route("GET", "/events", "calendar", list_events, answers.paged("Event"), query=("from", "to", "limit", "cursor")),
    Route("POST", "/events", "calendar", create_event, answers.EVENT, NewEvent, keyed=True, status=201,
          codes=_WRITES, tagged=True),
    Route("GET", "/events/{id}", "calendar", get_event, answers.EVENT, tagged=True),
    Route("PATCH", "/events/{id}", "calendar", edit_event, answers.EVENT, EventChanges, conditional=True,
          codes=("event_read_only", *_WRITES), tagged=True),
    Route("DELETE", "/events/{id}", "calendar", delete_event, answers.EVENT, conditional=True,
          codes=("event_read_only",), tagged=True),
    Route("GET", "/calendars", "calendar", list_calendars, answers.paged("Source"), query=("limit", "cursor")),
    Route("POST", "/calendars", "calendar", add_feed, answers.IMPORTED, NewFeed, keyed=True, status=201),
    Route("POST", "/calendars/import", "calendar", import_calendar, answers.IMPORTED, query=("name",
          "all_day_busy"), keyed=True,
          takes=CALENDAR),
    Route("POST", "/calendars/{id}/refresh", "calendar", refresh_calendar, answers.IMPORTED, Nothing, keyed=True),
    Route("DELETE", "/calendars/{id}", "calendar", remove_calendar, answers.REMOVED),
    Route("GET", "/calendar.ics", "calendar", export_calendar, answers.TEXT, gives=CALENDAR),
    Route("GET", "/previews/{id}.ics", "previews", export_preview, answers.TEXT, query=("candidate_id",),
          gives=CALENDAR),
    Route("GET", "/settings", "calendar", get_settings, answers.SETTINGS, tagged=True),
    Route("PATCH", "/settings", "calendar", edit_settings, answers.SETTINGS, SettingsChanges,
          codes=("version_mismatch",), tagged=True),
)  # fmt: skip
