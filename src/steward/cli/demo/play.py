"""The play, line by line: a task becomes urgent, a suggestion is made, and waits for a tap. Source: ST-69."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from steward.cli.demo.day import (
    BLOCK_GROUP,
    BLOCKS,
    REPORT_GROUP,
    REPORT_MINUTES,
    TITLES,
    URGENT_AFTER,
    ZONE,
    Planned,
    moment,
)
from steward.cli.demo.http import Reply
from steward.cli.demo.stage import Differs, Stage, Unplayable
from steward.cli.demo.words import line, more_line, said
from steward.domain.wording import day_text

CREATED: Final = 201
OK: Final = 200
REFUSED_SHOWN: Final = 5
TRIGGERED: Final = "active_schedule.triggered"
PROMOTE: Final = "task.urgency.promote.requested"


@dataclass(frozen=True, slots=True)
class Suggested:
    """What the play came to: the task, its trigger, and the preview as HTTP shows it."""

    task_id: str
    trigger_id: str
    preview: Mapping[str, Any]


async def import_calendar(stage: Stage, name: str, text: bytes, day: date, *, own: bool) -> None:
    """Line 3: the file, and the four blocks by hand; of those, with one's own file, only what fits it. Raises Unplayable."""
    path = f"/calendars/import?{urlencode({'name': name})}"
    reply = await stage.api.post(path, text, key="demo-import", kind="calendar")
    if own and reply.status != OK:
        reason = next((one["reason"] for one in reply.body.get("errors", ())), reply.body["title"])
        raise Unplayable(said(stage.locale, "unreadable", file=name, reason=reason))
    imported = expect(reply, OK)
    made = 0
    for planned in BLOCKS:
        if own and await _collides(stage, day, planned):
            continue
        await _block(stage, day, planned)
        made += 1
    counts = {"busy": imported["busy"], "not_busy": imported["not_busy"], "refused": imported["refused_count"]}
    stage.tell(line(stage.locale, 3, "calendar", said(stage.locale, "calendar", file=name, blocks=made, **counts)))
    for one in imported["refused"][:REFUSED_SHOWN]:
        stage.tell(more_line(said(stage.locale, "refused", uid=one["uid"] or "-", reason=one["reason"])))


async def suggestion(stage: Stage, day: date) -> Suggested:
    """Lines 4 to 10."""
    tell, locale = stage.tell, stage.locale
    title = TITLES[locale]["report"]
    due = moment(day, time(18))
    urgent = datetime.now(UTC) + URGENT_AFTER
    task = expect(
        await stage.api.post(
            "/tasks",
            {
                "title": title,
                "priority_group": REPORT_GROUP,
                "duration_minutes": REPORT_MINUTES,
                "earliest_start_at": text_of(moment(day, time(9))),
                "deadline_at": text_of(due),
                "urgency_threshold_at": text_of(urgent),
            },
            key="demo-task",
        ),
        CREATED,
    )
    shown_due = f"{day_text(due.astimezone(ZoneInfo(ZONE)), locale)} {due.astimezone(ZoneInfo(ZONE)):%H:%M}"
    seconds = int(URGENT_AFTER.total_seconds())
    facts = {"title": title, "minutes": REPORT_MINUTES, "due": shown_due, "seconds": seconds}
    task_id = task["task_id"]
    tell(line(locale, 4, "task", said(locale, "task", task_id=task_id, **facts)))

    job = await stage.until("there is no job", lambda: stage.job(task_id))
    tell(line(locale, 5, "job", said(locale, "job", job_id=job.job_id, status=job.status)))

    async def scanned() -> str | None:
        found = await stage.job(task_id)
        return found.last_trigger_id if found is not None and found.status == "triggered" else None

    trigger_id = await stage.until("the job did not fall due", scanned)
    messages = f"{TRIGGERED} + {PROMOTE}"
    if {TRIGGERED, PROMOTE} - {entry["type"] for entry in await entries(stage, trigger_id, "message")}:
        raise Differs("the scan's messages")
    tell(line(locale, 6, "scan", said(locale, "scan", trigger_id=trigger_id, messages=messages)))

    slowest = await stage.until("nobody consumed the scan's messages", lambda: _consumed(stage, trigger_id))
    group = expect(await stage.api.get(f"/tasks/{task_id}"), OK)["priority_group"]
    facts = {"done": 2, "expected": 2, "slowest": slowest, "title": title, "group": group}
    tell(line(locale, 7, "consume", said(locale, "consume", **facts)))

    row = await stage.until("there is no preview", lambda: stage.preview(trigger_id))
    preview: Mapping[str, Any] = expect(await stage.api.get(f"/previews/{row.preview_id}"), OK)
    tell(line(locale, 8, "candidates", candidates_text(stage, preview["candidates"])))
    source = preview["selection"]["source"]
    tell(line(locale, 9, "selection", said(locale, "selection", method=_method(preview), source=source)))
    minutes = round((_moment(preview["expires_at"]) - _moment(preview["generated_at"])).total_seconds() / 60)
    said_ = said(locale, "preview", preview_id=row.preview_id, status=preview["status"], minutes=minutes)
    tell(line(locale, 10, "preview", said_))
    return Suggested(task_id, trigger_id, preview)


async def notified(stage: Stage, suggested: Suggested) -> None:
    """Line 11: each channel's record has ended."""

    async def ended() -> Sequence[Mapping[str, Any]] | None:
        found = await entries(stage, suggested.trigger_id, "notification")
        return found if found and all(entry["status"] not in WAITING for entry in found) else None

    found = await stage.until("the notification was not sent", ended)
    order = {"inbox": 0, "console": 1}
    shown = [
        said(stage.locale, "sent", channel=entry["channel"], state=entry["status"])
        for entry in sorted(found, key=lambda entry: order.get(entry["channel"], 9))
    ]
    text = suggested.preview["notification_summary"]
    stage.tell(line(stage.locale, 11, "notify", said(stage.locale, "notify", channels=", ".join(shown), summary=text)))


WAITING: Final = frozenset({"pending", "sending", "due", "waiting"})


async def waiting(stage: Stage, suggested: Suggested) -> None:
    """Line 12, and then one for each further state of the preview, until somebody interrupts."""
    preview_id = suggested.preview["preview_id"]
    link = expect(await stage.api.post(f"/previews/{preview_id}/links", {"purpose": "act"}), CREATED)
    url = stage.url + link["path"]
    stage.tell(line(stage.locale, 12, "waiting", said(stage.locale, "waiting", url=url)))
    status = suggested.preview["status"]
    number = 12

    async def changed() -> str | None:
        row = await stage.preview(suggested.trigger_id)
        return None if row is None or row.status == status else row.status

    while True:
        try:
            status = await stage.until("", changed)
        except Differs as nothing:
            if nothing.what:
                raise
            continue
        number += 1
        stage.tell(line(stage.locale, number, "preview", said(stage.locale, "changed", status=status)))


def candidates_text(stage: Stage, candidates: Sequence[Mapping[str, Any]]) -> str:
    """Each candidate in a few words."""
    return " | ".join(_candidate(stage, one) for one in candidates)


def _candidate(stage: Stage, one: Mapping[str, Any]) -> str:
    if not one["changes"]:
        return str(one["type"])
    method = one["method"]
    added = [change for change in one["changes"] if change["event_id"] is None]
    given = sum(change["duration_minutes"] for change in added)
    if method in {"compress", "shorten"}:
        return f"{method}: {said(stage.locale, 'shrinks', given=given, wanted=REPORT_MINUTES)}"
    titles = {entry["entry_id"]: entry["title"] for entry in one["before"]}
    moves = [
        said(
            stage.locale,
            "move",
            title=titles.get(change["event_id"], ""),
            before=_clock(change["from"]["start"]),
            after=_clock(change["to"]["start"]),
        )
        for change in one["changes"]
        if change["event_id"] is not None
    ]
    return f"{method}: " + (", ".join(moves) or ", ".join(_clock(change["to"]["start"]) for change in added))


def _method(preview: Mapping[str, Any]) -> str:
    wanted = preview["selected_candidate_id"]
    chosen = next(one for one in preview["candidates"] if one["candidate_id"] == wanted)
    return str(chosen["method"] if chosen["changes"] else chosen["type"])


async def _block(stage: Stage, day: date, planned: Planned) -> None:
    """A task of group 3, and its block."""
    title = TITLES[stage.locale][planned.name]
    start, end = moment(day, planned.start), moment(day, planned.end)
    minutes = int((end - start).total_seconds() // 60)
    body: dict[str, object] = {"title": title, "priority_group": BLOCK_GROUP, "duration_minutes": minutes}
    task = expect(await stage.api.post("/tasks", body, key=f"demo-task-{planned.name}"), CREATED)
    block = {
        "task_id": task["task_id"],
        "title": title,
        "start_at": text_of(start),
        "end_at": text_of(end),
        "mobility": planned.mobility,
    }
    expect(await stage.api.post("/events", block, key=f"demo-block-{planned.name}"), CREATED)


async def _collides(stage: Stage, day: date, planned: Planned) -> bool:
    """Whether the person's own calendar has something there that takes time."""
    start, end = text_of(moment(day, planned.start)), text_of(moment(day, planned.end))
    found = expect(await stage.api.get(f"/events?from={start}&to={end}"), OK)
    return any(one["busy"] and one["status"] != "cancelled" for one in found["items"])


async def _consumed(stage: Stage, trigger_id: str) -> int | None:
    """Milliseconds from commit to receipt of the slower of the scan's two messages, once both have theirs."""
    slowest = 0.0
    for entry in await entries(stage, trigger_id, "message"):
        if entry["type"] not in {TRIGGERED, PROMOTE}:
            continue
        receipts = [one["at"] for one in entry["consumers"] if one["state"] == "consumed"]
        if not receipts or receipts[0] is None:
            return None
        slowest = max(slowest, (_moment(receipts[0]) - _moment(entry["at"])).total_seconds())
    return round(slowest * 1000)


async def entries(stage: Stage, trigger_id: str, kind: str) -> list[Mapping[str, Any]]:
    """The story's lines of this kind (ST-67)."""
    found = expect(await stage.api.get(f"/triggers/{trigger_id}/timeline"), OK)
    return [entry for entry in found["entries"] if entry["kind"] == kind]


def expect(reply: Reply, status: int) -> Any:  # noqa: ANN401  JSON
    """The body of an answer with this status. Raises Differs."""
    if reply.status != status:
        raise Differs(f"HTTP {reply.status} {reply.body}")
    return reply.body


def text_of(value: datetime) -> str:
    """RFC 3339 in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(text: str) -> str:
    return f"{_moment(text).astimezone(ZoneInfo(ZONE)):%H:%M}"
