"""Every line of §18 that a caller can bring about, and every code of ST-55, with the answer that each has by HTTP."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.ports.feed import FeedFailure
from steward.ports.rows.answer import DialogueRow
from steward.ports.rows.calendar import TaskRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Writing
from steward.service.triggers import TriggerSettings
from tests.integration.steward.http.stage import Stage
from tests.integration.steward.http.test_gate import refusal
from tests.integration.steward.http.test_previews import event, suggested

TASK = {"title": "Lab report", "priority_group": 2, "duration_minutes": 90}
EVENT = {"title": "Dentist", "start_at": "2026-11-24T09:00:00Z", "end_at": "2026-11-24T10:00:00Z"}
TERM = {
    "kind": "timetable", "sections": [["1", "08:00", "08:45"]], "term_start": "2026-09-07", "weeks": 18,
    "section_minutes": 45, "sections_max": 4, "max_gap_minutes": 20,
}  # fmt: skip
NINE: list[Any] = [["09:00", "11:00"], ["10:00", "12:00"]]
OVERLAPPING = [["1", "08:00", "08:45"], ["2", "08:30", "09:15"]]
WRONG: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("/tasks", TASK, {"deadline_at": "2026-11-24T09:00:00"}, "deadline_at"),
    ("/tasks", TASK, {"deadline_at": "1969-12-31T23:59:59Z"}, "deadline_at"),
    ("/tasks", TASK, {"deadline_at": "2201-01-01T00:00:00Z"}, "deadline_at"),
    ("/tasks", TASK, {"earliest_start_at": "2026-11-25T09:00:00Z", "deadline_at": EVENT["end_at"]}, "deadline_at"),
    ("/tasks", TASK, {"duration_minutes": 14}, "duration_minutes"),
    ("/tasks", TASK, {"duration_minutes": 481}, "duration_minutes"),
    ("/tasks", TASK, {"colour": "red"}, "colour"),
    ("/tasks", TASK, {"priority_group": 0}, "priority_group"),
    ("/tasks", TASK, {"priority_group": 5}, "priority_group"),
    ("/tasks", TASK, {"title": ""}, "title"),
    ("/tasks", TASK, {"title": "x" * 256}, "title"),
    ("/events", EVENT, {"start_at": "2026-11-24T09:00:00"}, "start_at"),
    ("/events", EVENT, {"zone": "Mars/Olympus"}, "zone"),
    ("/events", EVENT, {"end_at": EVENT["start_at"]}, "end_at"),
    ("/events", EVENT, {"end_at": "2201-01-01T00:00:00Z"}, "end_at"),
    ("/events", EVENT, {"mobility": "liquid"}, "mobility"),
    ("/settings", {}, {"zone": "Mars/Olympus"}, "zone"),
    ("/settings", {}, {"grid": {"windows": {}}}, "grid.windows"),
    ("/settings", {}, {"grid": {"windows": {"1": NINE}}}, "grid.windows"),
    ("/settings", {}, {"grid": {"step_minutes": 25}}, "grid.step_minutes"),
    ("/settings", {}, {"grid": TERM | {"sections": []}}, "grid.sections"),
    ("/settings", {}, {"grid": TERM | {"sections": OVERLAPPING}}, "grid.sections"),
]
IMPORTED = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//y//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20261101T000000Z
DTSTART:20261125T090000Z
DTEND:20261125T100000Z
SUMMARY:Fixed
END:VEVENT
END:VCALENDAR
"""


async def test_values_that_are_none(ample: Stage) -> None:
    """§18: 422 with the field, and nothing is stored; the old grid stays."""
    before = (await ample.call("GET", "/settings")).json()
    for path, usual, wrong, field in WRONG:
        method = "PATCH" if path == "/settings" else "POST"
        problem = refusal(await ample.call(method, path, usual | wrong))
        assert (problem["code"], problem["errors"][0]["field"]) == ("validation_failed", field), (path, wrong)
    task = (await ample.call("POST", "/tasks", TASK)).json()["task_id"]
    long = EVENT | {"task_id": task, "end_at": "2026-11-25T09:01:00Z"}
    assert refusal(await ample.call("POST", "/events", long))["errors"][0]["field"] == "end_at"
    assert (await ample.call("GET", "/events")).json()["items"] == []
    assert len((await ample.call("GET", "/tasks")).json()["items"]) == 1
    assert (await ample.call("GET", "/settings")).json() == before


async def test_calendars_that_are_none(ample: Stage) -> None:
    """§18: a file beyond 5 MiB is 413, what is no calendar or address 422; a feed that cannot be read is there, `failed`."""
    kind: dict[str, Any] = {"content_type": "text/calendar"}
    large = await ample.call("POST", "/calendars/import", content=b"x" * (5 * 1024 * 1024 + 1), **kind)
    assert refusal(large)["code"] == "payload_too_large"
    assert (
        refusal(await ample.call("POST", "/calendars/import", content=b"hello", **kind))["code"] == "validation_failed"
    )
    other = await ample.call("POST", "/calendars/import", content=b"hello")
    assert refusal(other)["code"] == "unsupported_media_type"
    for url in ("ftp://calendar.example/a.ics", "file:///etc/passwd", "calendar"):
        problem = refusal(await ample.call("POST", "/calendars", {"url": url}))
        assert (problem["code"], problem["errors"][0]["field"]) == ("validation_failed", "url"), url
    assert (await ample.call("GET", "/calendars")).json()["items"] == []
    ample.steward.calendars.client.answer = FeedFailure("its server answered 404")
    made = await ample.call("POST", "/calendars", {"url": "https://calendar.example/a.ics"})
    assert (made.status_code, made.json()["last_status"]) == (201, "failed")
    assert made.json()["last_error"] == "its server answered 404"


async def test_what_was_imported_is_read_only(ample: Stage) -> None:
    """ST-55: 409, the source has the say."""
    made = await ample.call(
        "POST", "/calendars/import", content=IMPORTED.replace("\n", "\r\n").encode(), content_type="text/calendar"
    )
    assert made.json()["added"] == 1
    (found,) = (await ample.call("GET", "/events")).json()["items"]
    path = f"/events/{found['event_id']}"
    for method, said in (("PATCH", {"title": "Mine"}), ("DELETE", None)):
        assert refusal(await ample.call(method, path, said, if_match='"1"'))["code"] == "event_read_only"


async def test_a_lock_that_is_not_had(ample: Stage) -> None:
    """ST-54: another change of this person's is at work: 409 with a key, 503 without one; both say when to come again."""
    held, done = asyncio.Event(), asyncio.Event()
    await ample.token()

    async def hold(tx: Writing) -> None:
        del tx
        held.set()
        await done.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(ample.steward.storage.change("usr_ada", hold))
        await held.wait()
        keyed = await ample.call("POST", "/tasks", TASK)
        bare = await ample.call("PATCH", "/settings", {"zone": "Europe/Berlin"})
        done.set()
    assert (refusal(keyed)["code"], keyed.headers["retry-after"]) == ("idempotency_in_progress", "1")
    assert (refusal(bare)["code"], bare.headers["retry-after"]) == ("unavailable", "1")
    assert (await ample.call("POST", "/tasks", TASK)).status_code == 201


async def test_what_nobody_foresaw(ample: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """ST-55: 500 says nothing of what it was, and the operator hears of it; suggestions switched off are 503."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(ample.steward.tasks, "list", broken)
    answer = await ample.call("GET", "/tasks")
    assert refusal(answer)["code"] == "internal_error"
    assert "secret" not in answer.text
    assert [str(error) for error in ample.steward.errors] == ["secret inside"]
    ample.steward.errors.clear()
    monkeypatch.setattr(ample.steward.triggers, "_settings", replace(TriggerSettings(), enabled=False))
    asked = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": "tsk_a"}
    off = await ample.call("POST", "/triggers", asked)
    assert (refusal(off)["code"], "retry-after" in off.headers) == ("unavailable", True)


async def test_a_confirm_that_cannot_be(ample: Stage, clock: ManualClock) -> None:
    """ST-55: what is no change, an edit that does not fit, what is scheduled already, and what is over."""
    preview = await suggested(ample)
    path, best = f"/previews/{preview['preview_id']}", preview["selected_candidate"]
    match: dict[str, Any] = {"if_match": f'"{best["base_version"]}"'}

    async def code(verb: str, said: dict[str, Any], **more: Any) -> str:  # noqa: ANN401  headers
        return str(refusal(await ample.call("POST", f"{path}/{verb}", said, **more))["code"])

    took = {"candidate_id": best["candidate_id"]}
    assert await code("confirm", {"candidate_id": "keep"}, **match) == "unsupported_change_type"
    edit = {"change_id": best["changes"][0]["change_id"], "start_at": "2026-11-24T01:00:00Z"}
    assert await code("confirm", took | {"edited_changes": [edit]}, **match) == "invalid_edited_changes"
    assert await code("undo", {}) in {"undo_not_possible", "preview_not_ready"}
    clock.advance(timedelta(seconds=preview["expires_in_seconds"] + 1))
    for verb, said, more in (
        ("confirm", took, match), ("ignore", {}, {}), ("links", {"purpose": "view"}, {"key": None}),
    ):  # fmt: skip
        assert await code(verb, said, **more) == "expired", verb


async def test_previews_that_are_over(ample: Stage) -> None:
    """ST-55: ignored, superseded by the end of its task, and one that only asks."""
    preview = await suggested(ample)
    path = f"/previews/{preview['preview_id']}"
    took = {"candidate_id": preview["selected_candidate_id"]}
    match: dict[str, Any] = {"if_match": f'"{preview["base_version"]}"'}
    assert (await ample.call("POST", f"{path}/ignore", {})).json()["status"] == "ignored"
    assert refusal(await ample.call("POST", f"{path}/confirm", took, **match))["code"] == "preview_ignored"
    links = await ample.call("POST", f"{path}/links", {"purpose": "view"}, key=None)
    assert refusal(links)["code"] == "preview_ignored"


async def test_a_task_that_is_done_supersedes(ample: Stage) -> None:
    """ST-55: confirm, ignore and links of what was suggested for it."""
    preview = await suggested(ample)
    path = f"/previews/{preview['preview_id']}"
    assert (await ample.call("POST", f"/tasks/{preview['target_id']}/complete", {})).json()["changed"]
    match: dict[str, Any] = {"if_match": f'"{preview["base_version"]}"'}
    took = {"candidate_id": preview["selected_candidate_id"]}
    assert refusal(await ample.call("POST", f"{path}/confirm", took, **match))["code"] == "preview_superseded"
    assert refusal(await ample.call("POST", f"{path}/ignore", {}))["code"] == "preview_superseded"


async def test_an_undo_after_a_later_edit(ample: Stage) -> None:
    """ST-48, ST-55: 409 with its reasons."""
    preview = await suggested(ample)
    path, best = f"/previews/{preview['preview_id']}", preview["selected_candidate"]
    match: dict[str, Any] = {"if_match": f'"{best["base_version"]}"'}
    done = await ample.call("POST", f"{path}/confirm", {"candidate_id": best["candidate_id"]}, **match)
    moved = done.json()["applied_event_ids"][0]
    version = (await ample.call("GET", f"/events/{moved}")).headers["etag"]
    assert (await ample.call("DELETE", f"/events/{moved}", if_match=version)).status_code == 200
    problem = refusal(await ample.call("POST", f"{path}/undo", {}))
    assert problem["code"] == "undo_not_possible"
    assert problem["errors"]


async def test_a_question_takes_no_confirm_and_one_answer(ample: Stage) -> None:
    """ST-51, ST-55: 409 for a preview that only asks, and for a dialogue that awaits nothing."""
    task = (await ample.call("POST", "/tasks", TASK)).json()["task_id"]
    for title, hour in (("Letters", 17), ("Chapter", 18)):
        times = (f"2026-11-23T{hour}:00:00+08:00", f"2026-11-23T{hour}:50:00+08:00")
        await event(ample, title, *times, task_id=task, mobility="flexible")
    made = (await ample.call("POST", "/feedback", {"kind": "unfinished"})).json()
    await ample.steward.accept(made["trigger_id"], "usr_ada")
    await ample.steward.preparer.prepare_once()
    found = (await ample.call("GET", f"/triggers/{made['trigger_id']}")).json()
    (dialogue,) = await ample.steward.storage.read(lambda tx: tx.all(DialogueRow, {}))
    path = f"/dialogues/{dialogue.dialogue_id}"
    asking = (await ample.call("GET", f"/previews/{found['preview_id']}")).json()
    match: dict[str, Any] = {"if_match": f'"{asking["base_version"]}"'}
    took = {"candidate_id": asking["selected_candidate_id"]}
    confirm = await ample.call("POST", f"/previews/{asking['preview_id']}/confirm", took, **match)
    assert refusal(confirm)["code"] == "preview_not_ready"
    assert (await ample.call("GET", path)).json()["status"] == "waiting_user_reply"
    assert (await ample.call("POST", f"{path}/reply", {"text": "letters"})).status_code == 200
    assert refusal(await ample.call("POST", f"{path}/reply", {"text": "letters"}))["code"] == "dialogue_not_waiting"


async def test_a_candidate_that_the_last_look_refuses(ample: Stage) -> None:
    """ST-43, step 8, ST-55: an edit that leaves a conflict, and a task that got its time elsewhere; it stays ready."""
    preview = await suggested(ample)
    path, best = f"/previews/{preview['preview_id']}", preview["selected_candidate"]
    match: dict[str, Any] = {"if_match": f'"{best["base_version"]}"'}
    took = {"candidate_id": best["candidate_id"]}
    (moved,) = [change["change_id"] for change in best["changes"] if change["change_type"] == "move"]
    dropped = {"edited_changes": [{"change_id": moved, "drop": True}]}
    conflict = refusal(await ample.call("POST", f"{path}/confirm", took | dropped, **match))
    assert (conflict["status"], conflict["code"], conflict["apply_status"]) == (409, "slot_conflict", "rejected")
    assert conflict["errors"]
    by_hand = {"task_id": preview["target_id"], "mobility": "flexible"}
    await event(ample, "By hand", "2026-11-24T07:00:00+08:00", "2026-11-24T08:30:00+08:00", **by_hand)
    placed = refusal(await ample.call("POST", f"{path}/confirm", took, key="placed", **match))
    assert (placed["status"], placed["code"], placed["apply_status"]) == (409, "target_already_scheduled", "rejected")
    again = await ample.call("POST", f"{path}/confirm", took, key="placed", **match)
    assert (again.json(), again.headers["idempotency-replayed"]) == (placed, "true")
    assert (await ample.call("GET", path)).json()["status"] == "ready"


async def test_a_makeup_that_there_is_already(ample: Stage) -> None:
    """ST-27, ST-55: of two suggestions for one unfinished block the second is refused, though its places are free."""
    task = (await ample.call("POST", "/tasks", TASK)).json()["task_id"]
    block = {"task_id": task, "mobility": "flexible"}
    times = ("2026-11-23T17:00:00+08:00", "2026-11-23T18:00:00+08:00")
    unfinished = (await event(ample, "Letters", *times, **block))["event_id"]
    previews = []
    for _ in range(2):
        said = {"kind": "unfinished", "event_id": unfinished}
        trigger = (await ample.call("POST", "/feedback", said)).json()["trigger_id"]
        await ample.steward.accept(trigger, "usr_ada")
        await ample.steward.preparer.prepare_once()
        found = (await ample.call("GET", f"/triggers/{trigger}")).json()
        previews.append((await ample.call("GET", f"/previews/{found['preview_id']}")).json())
        if len(previews) == 1:  # or the second would take its place
            live = {"preview_id": found["preview_id"]}
            await changed(ample, PreviewRow, live, {"live_slot": None})
    answers = []
    for preview, method in zip(previews, (0, 1), strict=True):
        chosen = preview["candidates"][method]
        match: dict[str, Any] = {"if_match": f'"{chosen["base_version"]}"'}
        said = {"candidate_id": chosen["candidate_id"]}
        answers.append(await ample.call("POST", f"/previews/{preview['preview_id']}/confirm", said, **match))
    assert answers[0].status_code == 200
    assert refusal(answers[1])["code"] == "target_already_scheduled"


async def test_a_task_that_is_done_and_was_not_seen_to_be(ample: Stage) -> None:
    """ST-40, ST-43, steps 7 and 8, ST-55: its base version tells first; where that knows it already, its status."""
    preview = await suggested(ample)
    path, best = f"/previews/{preview['preview_id']}", preview["selected_candidate"]
    await changed(ample, TaskRow, {"task_id": preview["target_id"]}, {"status": "completed"})
    took, match = {"candidate_id": best["candidate_id"]}, f'"{best["base_version"]}"'
    stale = refusal(await ample.call("POST", f"{path}/confirm", took, if_match=match))
    assert (stale["code"], stale["changed"]) == ("base_version_changed", ["task"])
    stored = await ample.steward.storage.read(lambda tx: tx.one(PreviewRow, {"preview_id": preview["preview_id"]}))
    items = [one | {"base_version": stale["current"]} for one in stored.candidates_json["items"]]
    rebased = {"candidates_json": stored.candidates_json | {"items": items}}
    await changed(ample, PreviewRow, {"preview_id": preview["preview_id"]}, rebased)
    done = refusal(await ample.call("POST", f"{path}/confirm", took, if_match=f'"{stale["current"]}"'))
    assert (done["status"], done["code"], done["apply_status"]) == (409, "target_completed", "rejected")


async def changed(stage: Stage, kind: type[Any], where: dict[str, Any], values: dict[str, Any]) -> None:
    """Change a row behind the services' back."""

    async def work(tx: Writing) -> None:
        assert await tx.change(kind, where, values) == 1

    await stage.steward.storage.change("usr_ada", work)
