"""A suggestion from its task to its undo, by API and by page, signed in and by link (ST-43, ST-59, ST-61)."""

import re
from typing import Any

import pytest

from steward.http.app import PAGES
from steward.ports.rows.suggestion import PreviewRow
from tests.integration.steward.http.stage import Browser, Stage
from tests.integration.steward.http.test_gate import refusal
from tests.unit.steward.calendars.texts import calendar
from tests.unit.steward.calendars.texts import event as component

HOSTILE = "\"'><script>alert(1)</script><img src=x>{{7*7}}"


async def suggested(stage: Stage, title: str = "Lab report") -> dict[str, Any]:
    """A day where only the flexible block at 18:00 can make room, and the preview of a task that must be done by 20:00.

    The clock stands at 20:00 in Shanghai on a Monday; the day is the next.
    """
    day = "2026-11-24T"
    await event(stage, "Lecture", f"{day}09:00:00+08:00", f"{day}12:00:00+08:00")
    await event(stage, "Networks", f"{day}13:00:00+08:00", f"{day}16:30:00+08:00")
    other = (await stage.call("POST", "/tasks", {"title": "Read", "priority_group": 3, "duration_minutes": 90})).json()
    block = {"task_id": other["task_id"], "mobility": "flexible"}
    await event(stage, f"Read {title}"[:250], f"{day}16:30:00+08:00", f"{day}18:00:00+08:00", **block)
    wanted = {"title": title, "priority_group": 2, "duration_minutes": 90, "deadline_at": f"{day}18:00:00+08:00",
              "earliest_start_at": f"{day}09:00:00+08:00"}  # fmt: skip
    task = (await stage.call("POST", "/tasks", wanted)).json()
    return await prepared(stage, task["task_id"])


async def event(stage: Stage, title: str, start: str, end: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  any field
    said = {"title": title, "start_at": start, "end_at": end} | more
    answer = await stage.call("POST", "/events", said)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def prepared(stage: Stage, task_id: str) -> dict[str, Any]:
    asked = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task_id}
    trigger = await stage.call("POST", "/triggers", asked)
    assert trigger.status_code == 202, trigger.text
    await stage.steward.accept(trigger.json()["trigger_id"], "usr_ada")
    await stage.steward.preparer.prepare_once()
    found = (await stage.call("GET", f"/triggers/{trigger.json()['trigger_id']}")).json()
    assert found["status"] == "preview_generated", found
    body: dict[str, Any] = (await stage.call("GET", f"/previews/{found['preview_id']}")).json()
    return body


async def test_confirm_and_undo_by_program(stage: Stage) -> None:
    """ST-43, ST-54: confirm under If-Match and a key, the stored answer again, then undo."""
    preview = await suggested(stage)
    path, best = f"/previews/{preview['preview_id']}", preview["selected_candidate"]
    assert (await stage.call("GET", path)).headers["etag"] == f'"{preview["base_version"]}"'
    said = {"candidate_id": best["candidate_id"]}
    assert refusal(await stage.call("POST", f"{path}/confirm", said))["code"] == "precondition_required"
    match: dict[str, Any] = {"if_match": f'"{best["base_version"]}"'}
    stale = refusal(await stage.call("POST", f"{path}/confirm", said, if_match='"v1:sha256:0"'))
    assert stale["code"] == "base_version_changed"
    anything = refusal(await stage.call("POST", f"{path}/confirm", said, if_match="*"))
    assert anything["code"] == "base_version_changed"
    done = await stage.call("POST", f"{path}/confirm", said, key="one", **match)
    assert (done.status_code, done.json()["apply_status"]) == (200, "applied")
    again = await stage.call("POST", f"{path}/confirm", said, key="one", **match)
    assert (again.json(), again.headers["idempotency-replayed"]) == (done.json(), "true")
    other = refusal(await stage.call("POST", f"{path}/confirm", {"candidate_id": "keep"}, key="one", **match))
    assert other["code"] == "idempotency_mismatch"
    assert refusal(await stage.call("POST", f"{path}/confirm", said, **match))["code"] == "already_applied"
    assert refusal(await stage.call("POST", f"{path}/ignore", {}))["code"] == "already_applied"
    undone = await stage.call("POST", f"{path}/undo", {})
    assert undone.status_code == 200
    assert refusal(await stage.call("POST", f"{path}/undo", {}))["code"] == "already_undone"
    assert refusal(await stage.call("POST", f"{path}/links", {"purpose": "act"}, key=None))["code"] == "already_undone"


async def test_dry_run_needs_no_key(stage: Stage) -> None:
    """ST-26, ST-54."""
    task = (await suggested(stage))["target_id"]
    asked = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task}
    answer = await stage.call("POST", "/dry-run", asked, key=None)
    assert answer.status_code == 200
    assert set(answer.json()) >= {"context", "observation", "candidates", "decision"}
    mocked = asked | {"mock_now": "2026-11-24T00:00:00Z", "is_mock_time": True}
    assert refusal(await stage.call("POST", "/dry-run", mocked, key=None))["code"] == "forbidden"


@pytest.mark.parametrize("by_link", [False, True], ids=["signed-in", "link"])
async def test_whole_flow_without_a_script(stage: Stage, *, by_link: bool) -> None:
    """ST-58, ST-59, ST-61: look, choose another way, confirm, see what happened, undo."""
    preview = await suggested(stage)
    browser, path = await stage.browser(), f"/previews/{preview['preview_id']}"
    if by_link:
        link = await stage.call("POST", f"{path}/links", {"purpose": "act"}, key=None)
        browser, path = Browser(stage.client), link.json()["path"]
    page = await browser.get(path)
    assert page.status_code == 200
    assert "Lab report" in page.text
    assert "(Asia/Shanghai)" in page.text
    radios = re.findall(r'name="candidate_id" id="c\d" value="([^"]+)"( checked)?', page.text)
    assert radios[-1][0] == "keep"
    assert [bool(checked) for _, checked in radios] == [True] + [False] * (len(radios) - 1)
    late = next(name for name, _ in radios if name.startswith("late"))
    answer = await browser.send(f"{path}/confirm", candidate_id=late)
    assert answer.status_code == 303, answer.text
    after = await browser.get(answer.headers["location"])
    assert 'action="' + path + '/undo"' in after.text
    applied = (await stage.call("GET", f"/previews/{preview['preview_id']}")).json()
    assert (applied["status"], applied["apply_candidate_id"]) == ("applied", late)
    assert (await browser.send(f"{path}/undo")).status_code == 303
    assert (await stage.call("GET", f"/previews/{preview['preview_id']}")).json()["status"] == "undone"


async def test_two_taps_on_confirm_are_one_apply(stage: Stage) -> None:
    """ST-59: the same form twice; then another one, which is told what happened."""
    preview = await suggested(stage)
    browser, path = await stage.browser(), f"/previews/{preview['preview_id']}"
    await browser.get(path)
    form = browser.form(f"{path}/confirm")
    other = await stage.browser()
    await other.get(path)
    answers = [await browser.post(f"{path}/confirm", form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    late = await other.send(f"{path}/confirm")
    assert late.status_code == 409
    assert "This was confirmed already" in late.text


async def test_changed_base_can_be_worked_out_again(stage: Stage) -> None:
    """ST-59: the reason, and a form for a new suggestion."""
    preview = await suggested(stage)
    browser, path = await stage.browser(), f"/previews/{preview['preview_id']}"
    await browser.get(path)
    form = browser.form(f"{path}/confirm")
    await event(stage, "Dentist", "2026-11-24T16:30:00+08:00", "2026-11-24T17:00:00+08:00")
    refused = await browser.post(f"{path}/confirm", form)
    assert refused.status_code == 412
    assert "Your calendar has changed since" in refused.text
    again = browser.form(f"{path}/again")
    answer = await browser.post(f"{path}/again", again)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(("/triggers/", "/previews/"))
    assert (await browser.get(answer.headers["location"])).status_code == 200


async def test_leaving_it_as_it_is_is_to_ignore(stage: Stage) -> None:
    """ST-59: by the last choice or by the button; the link ends with its preview."""
    preview = await suggested(stage)
    path = f"/previews/{preview['preview_id']}"
    link = (await stage.call("POST", f"{path}/links", {"purpose": "act"}, key=None)).json()["path"]
    browser = Browser(stage.client)
    await browser.get(link)
    answer = await browser.send(f"{link}/confirm", candidate_id="keep")
    assert answer.status_code == 200
    assert "Ignored" in answer.text
    assert (await browser.get(link)).status_code == 404
    assert (await stage.call("GET", path)).json()["status"] == "ignored"


async def test_a_view_link_answers_nothing(stage: Stage) -> None:
    """ST-61: `view` opens this preview alone, and no form of it is taken."""
    preview = await suggested(stage)
    path = f"/previews/{preview['preview_id']}"
    view = (await stage.call("POST", f"{path}/links", {"purpose": "view"}, key=None)).json()["path"]
    act = (await stage.call("POST", f"{path}/links", {"purpose": "act"}, key=None)).json()["path"]
    browser = Browser(stage.client)
    page = await browser.get(view)
    assert page.status_code == 200
    assert "<form" not in page.text
    acting = Browser(stage.client)
    await acting.get(act)
    form = acting.form(f"{act}/confirm")
    assert (await browser.post(f"{view}/confirm", form)).status_code == 404
    assert (await browser.get("/tasks")).status_code == 401
    assert (await stage.call("GET", path)).json()["status"] == "ready"
    token = act.rpartition("/")[2]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, letter in enumerate(token):
        other = alphabet[(alphabet.index(letter) + 32) % 64]
        assert (await browser.get(f"/p/{token[:place]}{other}{token[place + 1 :]}")).status_code == 404


async def test_hostile_strings_on_every_page(stage: Stage) -> None:
    """ST-63: what people, calendars and models write is text on every page, whichever field it stands in."""
    preview = await suggested(stage, HOSTILE)
    task, shown = preview["target_id"], {"preview_id": preview["preview_id"]}
    await stage.call("POST", "/calendars", {"url": "https://a.example/x.ics", "name": HOSTILE})
    await stage.call("PATCH", f"/tasks/{task}", {"note": HOSTILE}, if_match="*")
    await event(stage, HOSTILE, "2026-11-24T19:00:00+08:00", "2026-11-24T20:00:00+08:00", location=HOSTILE)
    lines = ("DTSTART:20261124T120000Z", "DTEND:20261124T123000Z", f"LOCATION:{HOSTILE}")
    kind: dict[str, Any] = {"content_type": "text/calendar"}
    text = calendar(component(*lines, uid=HOSTILE).replace("SUMMARY:Lecture", f"SUMMARY:{HOSTILE}"))
    assert (await stage.call("POST", "/calendars/import", content=text, **kind)).json()["added"] == 1
    times = ("2026-11-23T17:00:00+08:00", "2026-11-23T18:00:00+08:00")
    done = (await event(stage, HOSTILE, *times, task_id=task, mobility="flexible"))["event_id"]
    said = {"kind": "unfinished", "event_id": done, "note": HOSTILE}
    trigger = (await stage.call("POST", "/feedback", said)).json()["trigger_id"]
    words = {"explanation_text": HOSTILE, "notification_summary": HOSTILE}
    await stage.steward.storage.change("usr_ada", lambda tx: tx.change(PreviewRow, shown, words))
    link = (await stage.call("POST", f"/previews/{preview['preview_id']}/links", {"purpose": "act"}, key=None)).json()
    filled = {"/tasks/{id}": task, "/previews/{id}": preview["preview_id"], "/triggers/{id}": trigger}
    paths = {page.path.replace("{id}", filled.get(page.path, "")) for page in PAGES if page.method == "GET"}
    paths = {path.replace("/p/{token}", link["path"]) for path in paths if not path.endswith((".ics", "in/{token}"))}
    browser, seen = await stage.browser(), 0
    for path in sorted(paths | {"/?day=2026-11-24", "/week?day=2026-11-24", "/?day=2026-11-23"}):
        page = await browser.get(path)
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text, path
        assert "<img" not in page.text, path
        seen += "&lt;script&gt;alert(1)" in page.text
    assert seen >= 9


async def test_lists_and_bad_days(stage: Stage) -> None:
    """ST-58: a day that is none is 400; a page that is none is 404."""
    browser = await stage.browser()
    for path in ("/?day=yesterday", "/week?day=0001-01-01", "/?day=9999-12-31"):
        assert (await browser.get(path)).status_code == 400
    for path in ("/previews/prv_none", "/tasks/tsk_none", "/triggers/trg_none", "/nothing"):
        assert (await browser.get(path)).status_code == 404
    assert (await browser.get("/tasks?status=completed")).status_code == 200


async def test_a_question_is_answered_on_its_page(stage: Stage) -> None:
    """ST-52, ST-59: by words or by a block; what is unclear is asked again, saying so, and after three rounds it is over."""
    task = (await stage.call("POST", "/tasks", {"title": "Read", "priority_group": 3, "duration_minutes": 60})).json()
    blocks = [("Letters", "17"), ("Read chapter 4", "18")]
    for title, hour in blocks:
        times = (f"2026-11-23T{hour}:00:00+08:00", f"2026-11-23T{hour}:50:00+08:00")
        await event(stage, title, *times, task_id=task["task_id"], mobility="flexible")
    made = (await stage.call("POST", "/feedback", {"kind": "unfinished"})).json()
    await stage.steward.accept(made["trigger_id"], "usr_ada")
    await stage.steward.preparer.prepare_once()
    found = (await stage.call("GET", f"/triggers/{made['trigger_id']}")).json()
    browser, path = await stage.browser(), f"/previews/{found['preview_id']}"
    page = await browser.get(path)
    assert "<h1>Which block did you not finish?</h1>" in page.text
    assert "could not be told apart" not in page.text
    chosen = re.findall(r'name="choice_id" id="r\d" value="([^"]+)"', page.text)[0]
    assert (
        await browser.send(f"{path}/reply", choice_id=chosen, text="one of them")
    ).status_code == 303  # words go first
    assert "could not be told apart" in (await browser.get(path)).text
    assert (await browser.send(f"{path}/reply", text="letters")).status_code == 303
    assert "working it out again" in (await browser.get(path)).text
