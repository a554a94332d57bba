"""Today and the week: the calendar drawn, with what waits for an answer. Source: spec/scheduling.md ST-58."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from starlette.responses import Response

from steward.http.page_gate import PageCall
from steward.http.page_routes import PageRoute
from steward.http.task_lines import task_lines
from steward.service.problems import InvalidRequest
from steward.web.notice import done
from steward.web.reader import Reader
from steward.web.suggestion import proposed_blocks, target_title
from steward.web.timetable import Block, day_bounds, draw, event_blocks, hours_around, week_of

PAGES_MAX: Final = 20
PAGE: Final = 200
SUGGESTIONS_MAX: Final = 5
TASKS_READ: Final = 50
TASKS_SHOWN: Final = 8
KINDS: Final = ("fixed", "flexible", "pinned", "free", "proposed")
DAYS: Final = 7


async def today(call: PageCall) -> Response:
    """A day, what is planned on it, what is open, and what Steward suggests."""
    day = _day(call)
    events = await events_of(call, day, 1)
    previews = await waiting_previews(call)
    blocks = [*event_blocks(events, call.reader), *proposed_blocks(previews, call.reader)]
    tasks = await call.steward.tasks.list(call.caller, limit=TASKS_READ, status="open")
    return call.html(
        "today",
        day=day,
        yesterday=day - timedelta(days=1),
        tomorrow=day + timedelta(days=1),
        suggestions=[_suggestion(preview, call.reader) for preview in previews if _concerns(preview, day, call.reader)],
        drawn=draw(day, blocks, hours_around(day, blocks), call.reader.local(call.reader.now)),
        kinds=_kinds(blocks),
        all_day=_all_day(events, day),
        tasks=task_lines(tasks["items"], call.reader)[:TASKS_SHOWN],
        notice=done(call.query("done"), call.reader),
    )


async def week(call: PageCall) -> Response:
    """Seven days from Monday."""
    days = week_of(_day(call))
    events = await events_of(call, days[0], DAYS)
    blocks = [
        *event_blocks(events, call.reader),
        *proposed_blocks(await waiting_previews(call), call.reader),
    ]
    spans = [hours_around(day, blocks) for day in days]
    hours = (min(first for first, _ in spans), max(last for _, last in spans))
    now = call.reader.local(call.reader.now)
    return call.html(
        "week",
        days=[{"day": day, "drawn": draw(day, blocks, hours, now), "all_day": _all_day(events, day)} for day in days],
        previous=days[0] - timedelta(days=DAYS),
        following=days[0] + timedelta(days=DAYS),
        is_this_week=call.reader.today in days,
        kinds=_kinds(blocks),
    )


async def events_of(call: PageCall, day: date, days: int) -> list[Mapping[str, Any]]:
    """The events of so many days."""
    first, last = day_bounds(day, call.reader, days)
    found: list[Mapping[str, Any]] = []
    cursor = None
    for _ in range(PAGES_MAX):
        page = await call.steward.events.list(
            call.caller, limit=PAGE, cursor=cursor, from_=first.isoformat(), to=last.isoformat()
        )
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return found


async def waiting_previews(call: PageCall) -> list[Mapping[str, Any]]:
    """What waits for an answer, whole."""
    found: list[Mapping[str, Any]] = []
    for status in ("ready", "pending"):
        page = await call.steward.previews.list(call.caller, limit=SUGGESTIONS_MAX, status=status)
        waiting = [item["preview_id"] for item in page["items"] if not item["expired"]]
        found += [await call.steward.previews.get(call.caller, name) for name in waiting]
    return found


def _concerns(preview: Mapping[str, Any], day: date, reader: Reader) -> bool:
    """Whether the page of this day shows it: today's shows all, another's what would change that day."""
    return day == reader.today or any(block.start.date() == day for block in proposed_blocks([preview], reader))


def _suggestion(preview: Mapping[str, Any], reader: Reader) -> dict[str, str]:
    return {
        "preview_id": preview["preview_id"],
        "title": target_title(preview, reader),
        "text": preview["notification_summary"],
        "expires": reader.clock(preview["expires_at"]),
    }


def _day(call: PageCall) -> date:
    said = call.query("day")
    if said is None:
        return call.reader.today
    try:
        found = date.fromisoformat(said)
    except ValueError:
        raise InvalidRequest("day: a date") from None
    if not 1970 < found.year < 2200:  # noqa: PLR2004  the years of §18
        raise InvalidRequest("day: a date of the years 1971 to 2199")
    return found


def _kinds(blocks: Sequence[Block]) -> list[str]:
    present = {block.kind for block in blocks}
    return [kind for kind in KINDS if kind in present]


def _all_day(events: Sequence[Mapping[str, Any]], day: date) -> list[Mapping[str, Any]]:
    """All-day events of the day; their last date is the day after."""
    text = day.isoformat()
    return [
        event
        for event in events
        if event.get("all_day") and event["status"] != "cancelled" and event["start_date"] <= text < event["end_date"]
    ]


PLAN = (PageRoute("GET", "/", "signed_in", today), PageRoute("GET", "/week", "signed_in", week))
