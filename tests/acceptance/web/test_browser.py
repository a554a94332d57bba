"""A person with a phone: import, preview, another way, confirm, undo, in a real browser (ST-58 to ST-63)."""

import asyncio
from pathlib import Path

import pytest

from tests.acceptance.web.browser import Page, browsing
from tests.acceptance.web.conftest import Served
from tests.acceptance.web.seeing import nameless
from tests.integration.steward.http.stage import Stage
from tests.integration.steward.http.test_previews import event, prepared

PHONE, DESK = (390, 844), (1280, 900)
HOSTILE = (
    "<script>document.title='stolen'</script><img src=x onerror=\"document.title='stolen'\">{{7*7}}'\"><b hx-get=/x>"
)
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1@uni
DTSTAMP:20261101T000000Z
DTSTART;TZID=Asia/Shanghai:20261124T090000
DTEND;TZID=Asia/Shanghai:20261124T120000
SUMMARY:Databases <b>
END:VEVENT
BEGIN:VEVENT
UID:2@uni
DTSTAMP:20261101T000000Z
DTSTART;TZID=Asia/Shanghai:20261124T130000
DTEND;TZID=Asia/Shanghai:20261124T163000
SUMMARY:Networks
END:VEVENT
END:VCALENDAR
"""


async def suggested(stage: Stage) -> str:
    """A task that only fits where a flexible block stands, and its preview."""
    day = "2026-11-24T"
    other = (await stage.call("POST", "/tasks", {"title": "Read", "priority_group": 3, "duration_minutes": 90})).json()
    block = {"task_id": other["task_id"], "mobility": "flexible"}
    await event(stage, "Read chapter 4", f"{day}16:30:00+08:00", f"{day}18:00:00+08:00", **block)
    wanted = {"title": "Lab report", "priority_group": 2, "duration_minutes": 90, "deadline_at": f"{day}18:00:00+08:00",
              "earliest_start_at": f"{day}09:00:00+08:00"}  # fmt: skip
    task = (await stage.call("POST", "/tasks", wanted)).json()
    return str((await prepared(stage, task["task_id"]))["preview_id"])


def signed_in(page: Page, served: Served) -> None:
    """By the one-time link, as a person does."""
    link = served.do(served.stage.steward.links.make_sign_in("usr_ada"))
    page.open(served.url + link["path"])
    page.tap("main button")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_import_preview_choose_confirm_undo_on_a_phone(served: Served, tmp_path: Path, *, scripts: bool) -> None:
    """ST-58, ST-59, ST-63: the whole way by taps, with scripts and without; our policy has nothing to complain about."""
    await asyncio.to_thread(whole_way, served, tmp_path, scripts=scripts)


def whole_way(served: Served, tmp_path: Path, *, scripts: bool) -> None:
    file = tmp_path / "uni.ics"
    file.write_text(CALENDAR, encoding="utf-8")
    with browsing() as page:
        page.shape(*PHONE, scripts=scripts)
        signed_in(page, served)
        page.open(f"{served.url}/calendars")
        page.choose_file("#calendar", file)
        page.tap("form[action='/calendars/import'] button")
        assert "2 added" in page.text(), page.text()
        preview = served.do(suggested(served.stage))
        page.open(f"{served.url}/?day=2026-11-24")
        assert "Databases <b>" in page.text()
        move(page, "a.suggestion", scripts=scripts)
        assert page.evaluate("location.pathname") == f"/previews/{preview}"
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        assert "Move “Read chapter 4”" in page.text(".of-choice.c0 h2")
        late = page.evaluate("[...document.querySelectorAll('.choice input')].find(e => e.value.startsWith('late')).id")
        page.tap(f"label[for={late}]", loads=False)
        assert page.evaluate(f"getComputedStyle(document.querySelector('.answer-main .{late}')).display") == "block"
        assert page.evaluate("getComputedStyle(document.querySelector('.answer-main .c0')).display") == "none"
        move(page, ".bar .primary", scripts=scripts)
        assert "Your calendar has changed" in page.text()
        assert served.do(status(served.stage, preview)) == ("applied", late_id(page, served, preview))
        move(page, ".undo button", scripts=scripts)
        assert "Undone" in page.text() or "took this back" in page.text()
        assert served.do(status(served.stage, preview))[0] == "undone"
        assert [one for one in page.console if "favicon" not in one] == []


def move(page: Page, selector: str, *, scripts: bool) -> None:
    """Tap what leads to another page: with scripts, HTMX puts it in place without a load."""
    if not scripts:
        page.tap(selector)
        return
    page.evaluate(
        "window.settled = new Promise(done => addEventListener('htmx:afterSettle', () => done(1), { once: true }))"
    )
    page.tap(selector, loads=False)  # 20 ms after it was put in place it is scrolled to its top
    page.call("Runtime.evaluate", expression="window.settled", awaitPromise=True)


def late_id(page: Page, served: Served, preview: str) -> str:
    del page
    body = served.do(served.stage.call("GET", f"/previews/{preview}")).json()
    return str(next(one["candidate_id"] for one in body["candidates"] if one["method"] == "late"))


async def status(stage: Stage, preview: str) -> tuple[str, str]:
    body = (await stage.call("GET", f"/previews/{preview}")).json()
    return body["status"], body["apply_candidate_id"]


async def test_pages_fit_a_small_phone_and_have_large_targets(served: Served) -> None:
    """ST-60, ST-63: 320 px without scrolling sideways; what is tapped is at least 44 px high; a skip link comes first.

    What people write runs nowhere: the browser has nothing to report, of our policy or of a script.
    """
    await asyncio.to_thread(all_pages, served)


def all_pages(served: Served) -> None:
    preview = served.do(suggested(served.stage))
    served.do(served.stage.call("POST", "/tasks", {"title": HOSTILE, "priority_group": 1, "duration_minutes": 30}))
    served.do(event(served.stage, HOSTILE, "2026-11-23T21:00:00+08:00", "2026-11-23T22:00:00+08:00"))
    with browsing() as page:
        page.shape(320, 640)
        signed_in(page, served)
        for path in ("/", "/week", "/tasks", "/inbox", "/calendars", "/settings", f"/previews/{preview}"):
            page.open(served.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") == 320, path
            small = page.evaluate(
                "[...document.querySelectorAll('button, .button, nav a, select, input:not([type=hidden]):not([type=radio])"
                ":not([type=checkbox]), .choice, summary')].filter(e => e.offsetParent)"
                ".filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 80))"
            )
            assert small == [], path
            assert nameless(page) == [], path
            assert page.evaluate("document.querySelector('body a').className") == "skip"
            assert page.evaluate("document.title") != "stolen"
        assert page.console == []


async def test_a_page_that_waits_comes_again_by_itself(served: Served) -> None:
    """ST-58: where scripts run; without them a link does it."""
    await asyncio.to_thread(waiting, served)


def waiting(served: Served) -> None:
    served.do(event(served.stage, "Lecture", "2026-11-24T09:00:00+08:00", "2026-11-24T12:00:00+08:00"))
    wanted = {"title": "Lab report", "priority_group": 2, "duration_minutes": 90}
    task = served.do(served.stage.call("POST", "/tasks", wanted)).json()["task_id"]
    asked = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task}
    trigger = served.do(served.stage.call("POST", "/triggers", asked)).json()["trigger_id"]
    with browsing() as page:
        page.shape(*PHONE)
        signed_in(page, served)
        page.open(f"{served.url}/triggers/{trigger}")
        assert page.text("h1") == "One moment"
        served.do(served.stage.steward.accept(trigger, "usr_ada"))
        served.do(served.stage.steward.preparer.prepare_once())
        page.wait_until(lambda: "Lab report" in page.text())
        assert page.evaluate("location.pathname").startswith("/previews/")
        assert page.console == []


async def test_a_link_opens_on_a_phone_that_is_not_signed_in(served: Served) -> None:
    """ST-61: the page says when the link has ended; nothing else opens."""
    await asyncio.to_thread(by_link, served)


def by_link(served: Served) -> None:
    preview = served.do(suggested(served.stage))
    made = served.do(served.stage.call("POST", f"/previews/{preview}/links", {"purpose": "act"}, key=None)).json()
    with browsing() as page:
        page.shape(*PHONE, dark=True)
        page.open(served.url + made["path"])
        assert "Lab report" in page.text("h1")
        page.tap(".bar .quiet")
        assert "Ignored" in page.text()
        page.open(f"{served.url}/tasks")
        assert "Sign in" in page.text("h1")
