"""Every page with values, by name: what tests look at, and screenshots are taken of."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from steward.domain.grid import Grid
from steward.domain.grid_json import grid_as_json
from steward.web.notice import Notice, refused
from steward.web.reader import Reader
from steward.web.suggestion import applied_rows, choices, proposed_blocks, source, target_title, why
from steward.web.timetable import draw, event_blocks, hours_around, week_of
from tests.unit.steward.days import MONDAY
from tests.unit.steward.web.bodies import EVENTS, preview_body, task_body

Values = dict[str, Any]
LINE = {
    "task_id": "tsk_1",
    "title": "Lab report",
    "status": "open",
    "line": "Mon 23 Nov, 18:00 · 90 min",
    "urgent": True,
}


def today(reader: Reader) -> Values:
    day = MONDAY.date()
    preview = preview_body(reader.locale)
    blocks = [*event_blocks(EVENTS, reader), *proposed_blocks([preview], reader)]
    shown = {
        "preview_id": "prv_1",
        "title": "Lab report",
        "text": preview["notification_summary"],
        "expires": reader.moment(preview["expires_at"]),
    }
    return {
        "day": day,
        "yesterday": day - timedelta(days=1),
        "tomorrow": day + timedelta(days=1),
        "suggestions": [shown],
        "drawn": draw(day, blocks, hours_around(day, blocks), reader.local(reader.now)),
        "all_day": [EVENTS[-1]],
        "kinds": ["fixed", "flexible", "pinned", "free", "proposed"],
        "notice": None,
        "tasks": [LINE, {**LINE, "title": "Letters", "urgent": False}],
    }


def empty_today(reader: Reader) -> Values:
    day = MONDAY.date()
    return today(reader) | {"suggestions": [], "drawn": draw(day, [], (8, 20)), "all_day": [], "kinds": [], "tasks": []}


def week(reader: Reader) -> Values:
    days = week_of(MONDAY.date())
    blocks = [*event_blocks(EVENTS, reader), *proposed_blocks([preview_body(reader.locale)], reader)]
    drawn = [{"day": day, "drawn": draw(day, blocks, (8, 21), reader.local(reader.now)), "all_day": []} for day in days]
    return {
        "days": drawn,
        "previous": days[0],
        "following": days[6],
        "is_this_week": True,
        "kinds": ["fixed", "flexible"],
    }


def tasks(reader: Reader) -> Values:
    lines = [LINE, {**LINE, "title": "Read chapter 4", "urgent": False}]
    return {
        "shown": "open",
        "notice": Notice("done", reader.text("form.saved")),
        "form": task_body("") | {"deadline_at": None},
        "tasks": lines,
        "next_cursor": None,
        "errors": [],
    }


def task(reader: Reader) -> Values:
    body = task_body()
    block = {"event_id": "evt_1", "start_at": EVENTS[1]["start_at"], "end_at": EVENTS[1]["end_at"], "kind": "flexible"}
    return {
        "task": body,
        "form": body,
        "line": LINE["line"],
        "blocks": [block | {"begun": True}],
        "job": reader.text("task.job_triggered"),
        "notice": None,
        "errors": [{"field": "title", "message": "1 to 255"}],
    }


def preview(reader: Reader, notice: Notice | None = None, **changes: Any) -> Values:  # noqa: ANN401  any field
    body = preview_body(reader.locale, **changes)
    return {
        "preview": body,
        "base": "/previews/prv_1",
        "title": target_title(body, reader),
        "why": why(body, reader),
        "line": reader.text("task.due", moment="Mon 23 Nov, 18:00") + " · 90 min",
        "notice": notice,
        "refused_again": notice is not None,
        "choices": choices(body, reader),
        "chosen": 0,
        "source": source(body, reader),
        "applied": applied_rows(body, reader) if body["status"] == "applied" else [],
        "dialogue": None,
        "expires": "09:40",
        "minutes_left": 58,
        "settings_link": False,
    }


def refused_preview(reader: Reader) -> Values:
    return preview(reader, refused("base_version_changed", reader))


def applied(reader: Reader) -> Values:
    until = (MONDAY + timedelta(days=1)).isoformat()
    return preview(
        reader,
        None,
        status="applied",
        can_confirm=False,
        can_ignore=False,
        can_undo=True,
        undo_until=until,
    ) | {"refused_again": False}


def question(reader: Reader) -> Values:
    block = {"choice_id": "evt_1", "title": "Gym", "start_at": EVENTS[5]["start_at"], "end_at": EVENTS[5]["end_at"]}
    asked = {"dialogue_id": "dlg_1", "status": "waiting_user_reply", "question": "Which block?", "choices": [block]}
    return preview(reader, status="pending", can_confirm=False) | {"dialogue": asked}


def inbox(reader: Reader) -> Values:
    item = {
        "id": "1",
        "title": "Lab report",
        "text": preview_body(reader.locale)["notification_summary"],
        "read_at": None,
        "href": "/previews/prv_1",
        "created_at": reader.now,
    }
    return {"items": [item, item | {"read_at": reader.now}], "next_cursor": None, "notice": None}


def calendars(reader: Reader) -> Values:
    line = reader.text("calendars.kind_feed", minutes=60)
    sources = [{"source_id": "src_1", "name": "University", "kind": "feed", "line": line}]
    return {"sources": sources, "notice": None, "errors": [], "subscription": ""}


def settings(reader: Reader) -> Values:
    found = {
        "zone": "Asia/Shanghai",
        "locale": reader.locale,
        "suggestions": True,
        "share_titles": False,
        "grid": grid_as_json(Grid()),
    }
    week = [(day, "09:00-12:00, 13:00-18:00, 19:00-21:00") for day in range(1, 8)]
    zones = ["Asia/Shanghai", "Europe/Berlin"]
    return {"settings": found, "version": 1, "week": week, "zones": zones, "notice": None, "errors": []}


def sign_in(reader: Reader) -> Values:
    del reader
    return {"token": "abc", "days": 90, "notice": None}


def problem(reader: Reader) -> Values:
    title = reader.text("title.not_found")
    return {"title": title, "detail": "", "request_id": "req_1", "href": "/", "link": reader.text("problem.home")}


def working(reader: Reader) -> Values:
    return {"said": reader.text("working.trigger"), "href": "/triggers/trg_1", "waits": True}


VIEWS: dict[str, tuple[str, Callable[[Reader], Values]]] = {
    "today": ("today", today),
    "empty": ("today", empty_today),
    "week": ("week", week),
    "tasks": ("tasks", tasks),
    "task": ("task", task),
    "preview": ("preview", preview),
    "refused": ("preview", refused_preview),
    "applied": ("preview", applied),
    "question": ("preview", question),
    "inbox": ("inbox", inbox),
    "calendars": ("calendars", calendars),
    "settings": ("settings", settings),
    "sign_in": ("sign_in", sign_in),
    "problem": ("problem", problem),
    "working": ("working", working),
}
