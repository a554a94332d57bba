"""Every page for every reader: light and dark, phone and desk, English and Chinese, in a real browser (ST-60)."""

import asyncio
from typing import Any

import pytest

from tests.acceptance.web.browser import browsing
from tests.acceptance.web.conftest import Served
from tests.acceptance.web.seeing import obstacles
from tests.acceptance.web.test_browser import HOSTILE, signed_in, suggested
from tests.integration.steward.http.stage import Stage
from tests.integration.steward.http.test_previews import event, prepared

SMALL, DESK = (320, 640), (1280, 900)
LOOKS = {
    "phone": (SMALL, False, "en"),
    "phone, dark": (SMALL, True, "en"),
    "phone, dark, zh-CN": (SMALL, True, "zh-CN"),
    "phone, zh-CN": (SMALL, False, "zh-CN"),
    "desk": (DESK, False, "en"),
    "desk, dark": (DESK, True, "en"),
    "desk, zh-CN": (DESK, False, "zh-CN"),
    "desk, dark, zh-CN": (DESK, True, "zh-CN"),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("look", LOOKS)
async def test_nothing_stands_in_a_readers_way(served: Served, look: str) -> None:
    """ST-60, WCAG 2.2 AA: names, headings, contrast and language of every page; nothing is wider than the screen."""
    await asyncio.to_thread(every_page, served, *LOOKS[look])


def every_page(served: Served, screen: tuple[int, int], dark: bool, locale: str) -> None:
    paths = served.do(paths_of(served.stage))
    answer = served.do(served.stage.call("PATCH", "/settings", {"locale": locale}))
    assert answer.status_code == 200
    with browsing() as page:
        page.shape(*screen, dark=dark)
        signed_in(page, served)
        for path in paths:
            page.open(served.url + path)
            assert obstacles(page, locale) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") == screen[0], path
        assert [one for one in page.console if "404" not in one] == []


async def paths_of(stage: Stage) -> list[str]:
    """The pages, with something on each: a suggestion in each of its states, a question, a long and hostile title."""
    shown = await suggested(stage)
    task = (await stage.call("GET", "/tasks")).json()["items"][0]["task_id"]
    await stage.call("POST", "/tasks", {"title": HOSTILE, "priority_group": 1, "duration_minutes": 30})
    await event(stage, HOSTILE, "2026-11-23T21:00:00+08:00", "2026-11-23T22:00:00+08:00")
    await stage.call("POST", "/calendars", {"url": "https://a.example/x.ics", "name": "Club"})
    done = [await applied(stage, verb) for verb in ("confirm", "undo", "ignore")]
    return [
        "/", "/?day=2026-11-24", "/week", "/week?day=2026-11-24", "/tasks", "/tasks?status=completed", f"/tasks/{task}",
        "/inbox", "/calendars", "/settings", f"/previews/{shown}", *(f"/previews/{one}" for one in done),
        f"/previews/{await asking(stage)}", "/previews/prv_none",
    ]  # fmt: skip


async def applied(stage: Stage, verb: str) -> str:
    """A preview that was answered so."""
    wanted = {"title": f"To {verb}", "priority_group": 2, "duration_minutes": 30}
    task = (await stage.call("POST", "/tasks", wanted)).json()["task_id"]
    preview = await prepared(stage, task)
    path, best = f"/previews/{preview['preview_id']}", preview["selected_candidate"]
    match: dict[str, Any] = {"if_match": f'"{best["base_version"]}"'}
    if verb == "ignore":
        answer = await stage.call("POST", f"{path}/ignore", {})
    else:
        answer = await stage.call("POST", f"{path}/confirm", {"candidate_id": best["candidate_id"]}, **match)
    assert answer.status_code == 200, answer.text
    if verb == "undo":
        assert (await stage.call("POST", f"{path}/undo", {})).status_code == 200
    return str(preview["preview_id"])


async def asking(stage: Stage) -> str:
    """A preview that asks which block was not finished."""
    task = (await stage.call("POST", "/tasks", {"title": "Read", "priority_group": 3, "duration_minutes": 60})).json()
    times = ("2026-11-23T17:00:00+08:00", "2026-11-23T17:50:00+08:00")
    await event(stage, "Letters", *times, task_id=task["task_id"], mobility="flexible")
    made = (await stage.call("POST", "/feedback", {"kind": "unfinished"})).json()
    await stage.steward.accept(made["trigger_id"], "usr_ada")
    await stage.steward.preparer.prepare_once()
    return str((await stage.call("GET", f"/triggers/{made['trigger_id']}")).json()["preview_id"])


PLANTED = """(() => {
  const planted = '<h5 id="one">Deep</h5><p id="one">Faint</p><button></button>';
  document.querySelector('main').insertAdjacentHTML('beforeend', planted);
  document.querySelector('main p#one').style.color = '#999';
})()"""


async def test_what_stands_in_the_way_is_seen(served: Served) -> None:
    """ST-60: a heading that skips a level, an id twice, faint text, a button without a name, the wrong language."""
    await asyncio.to_thread(planted, served)


def planted(served: Served) -> None:
    with browsing() as page:
        page.shape(*SMALL)
        page.open(f"{served.url}/sign-in")
        page.evaluate(PLANTED)
        found = obstacles(page, "zh-CN")
    assert [line.split(": ")[-1] for line in found if "before H5" in line] == ["Deep"]
    assert "two with the id one" in found
    assert [line.split(": ")[-1] for line in found if "of 4.5" in line] == ["Faint"]
    assert "a button without a name" in found
    assert "it says that it is in 'en'" in found
