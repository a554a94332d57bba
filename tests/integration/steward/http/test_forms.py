"""What a browser may do: two cookies, a token of the form, and our own pages alone (ST-61, ST-62)."""

import re

import pytest

from steward.http.app import PAGES
from steward.http.cookies import Cookies
from tests.integration.steward.http.stage import ORIGIN, PAGE_HEADERS, Browser, Stage, cookie

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1@uni
DTSTAMP:20261101T000000Z
DTSTART:20261124T010000Z
DTEND:20261124T020000Z
SUMMARY:Databases
END:VEVENT
END:VCALENDAR
"""
NAMES = Cookies(ORIGIN, 90)


async def count(stage: Stage) -> int:
    return len((await stage.call("GET", "/tasks")).json()["items"])


async def test_a_form_leads_to_a_page(stage: Stage) -> None:
    """ST-58: form, 303, page."""
    browser = await stage.browser()
    assert (await browser.get("/tasks")).status_code == 200
    answer = await browser.send("/tasks", title="Lab report", duration_minutes="90", deadline_at="2026-11-23T18:00")
    assert answer.status_code == 303
    page = await browser.get(answer.headers["location"])
    assert "Lab report" in page.text
    assert "due Mon 23 Nov, 18:00" in page.text
    task = (await stage.call("GET", "/tasks")).json()["items"][0]
    assert task["deadline_at"] == "2026-11-23T10:00:00Z"


async def test_lax_cookie_alone_changes_nothing(stage: Stage) -> None:
    """ST-62, X5: what opens pages after a tap in a chat can change nothing."""
    browser = await stage.browser()
    await browser.get("/tasks")
    form = browser.form("/tasks") | {"title": "Lab report"}
    lax = Browser(stage.client, {NAMES.name("view"): browser.cookies[NAMES.name("view")]})
    assert (await lax.get("/tasks")).status_code == 200
    assert (await lax.post("/tasks", form)).status_code == 401
    strict = Browser(stage.client, {NAMES.name("act"): browser.cookies[NAMES.name("act")]})
    assert (await strict.get("/tasks")).status_code == 401
    swapped = Browser(stage.client, dict(zip(browser.cookies, reversed(browser.cookies.values()), strict=True)))
    assert (await swapped.get("/tasks")).status_code == 401
    assert await count(stage) == 0
    assert (await browser.post("/tasks", form)).status_code == 303


async def test_cookies_of_two_people_do_not_add_up(stage: Stage) -> None:
    """ST-62: the act cookie is of who reads the page."""
    await stage.person("usr_bob")
    ada, bob = await stage.browser(), await stage.browser("usr_bob")
    await ada.get("/tasks")
    mixed = Browser(stage.client, {NAMES.name("view"): ada.cookies[NAMES.name("view")],
                                   NAMES.name("act"): bob.cookies[NAMES.name("act")]})  # fmt: skip
    assert (await mixed.post("/tasks", ada.form("/tasks") | {"title": "x"})).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {},
    ],
)
async def test_forged_form_from_another_origin(stage: Stage, headers: dict[str, str]) -> None:
    """ST-62, X5: a form with everything right, but not from our pages."""
    browser = await stage.browser()
    await browser.get("/tasks")
    form = browser.form("/tasks") | {"title": "Lab report"}
    assert (await browser.post("/tasks", form, headers)).status_code == 403
    assert await count(stage) == 0
    assert (await browser.post("/tasks", form, {"origin": ORIGIN})).status_code == 303


async def test_the_forms_token_is_of_this_sign_in(stage: Stage) -> None:
    """ST-62: absent, altered, or of another sign-in: refused."""
    browser, other = await stage.browser(), await stage.browser()
    await browser.get("/tasks")
    form = browser.form("/tasks") | {"title": "Lab report"}
    await other.get("/tasks")
    for token in ("", form["csrf"][:-1] + "x", other.form("/tasks")["csrf"], "ä"):
        assert (await browser.post("/tasks", form | {"csrf": token})).status_code == 403
    assert await count(stage) == 0


async def test_two_taps_are_one(stage: Stage) -> None:
    """ST-59: a form that is sent twice has its effect once, and leads to the same page."""
    browser = await stage.browser()
    await browser.get("/tasks")
    form = browser.form("/tasks") | {"title": "Lab report"}
    first, second = [await browser.post("/tasks", form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert await count(stage) == 1


async def test_get_by_bots_changes_nothing(stage: Stage) -> None:
    """ST-62: GET, HEAD and OPTIONS of every page and of a one-time link leave everything as it is."""
    link = await stage.steward.links.make_sign_in("usr_ada")
    browser = await stage.browser()
    paths = [page.path.replace("{token}", link["token"]).replace("{id}", "prv_none") for page in PAGES]
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS"):
            for cookies in (dict[str, str](), browser.cookies):
                await stage.client.request(method, path, headers=cookie(cookies))
    anew = Browser(stage.client)
    assert (await anew.get(link["path"])).status_code == 200
    answer = await anew.send(link["path"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_link_signs_in_once(stage: Stage) -> None:
    """ST-61, ST-62: by a POST of its page; two cookies, one lax, one strict, neither for scripts."""
    link = await stage.steward.links.make_sign_in("usr_ada")
    browser = Browser(stage.client)
    await browser.get(link["path"])
    form = browser.form(link["path"])
    assert (await browser.post(link["path"], form, {"sec-fetch-site": "cross-site"})).status_code == 403
    answer = await browser.post(link["path"], form)
    assert answer.status_code == 303
    cookies = answer.headers.get_list("set-cookie")
    assert [re.search(r"SameSite=(\w+)", one)[1] for one in cookies] == ["lax", "strict"]  # type: ignore[index]
    assert all("HttpOnly" in one and "Path=/" in one and "Secure" not in one for one in cookies)
    browser.cookies = dict(one.split(";")[0].split("=", 1) for one in cookies)
    assert (await browser.get("/")).status_code == 200
    assert (await browser.post(link["path"], form)).status_code == 404
    await browser.get("/settings")
    assert (await browser.send("/sign-out")).status_code == 303
    assert (await browser.get("/")).status_code == 401


def test_cookies_over_https_are_host_cookies() -> None:
    """ST-62: `__Host-` and Secure where there is TLS, neither on loopback http."""
    assert Cookies("https://steward.example", 90).name("act") == "__Host-steward-act"
    assert NAMES.name("act") == "steward-act"


async def test_every_byte_of_a_link_flipped(stage: Stage) -> None:
    """ST-61, X3: an altered link is none, and tells nothing."""
    token = (await stage.steward.links.make_calendar("usr_ada"))["token"]
    assert (await stage.client.get(f"/c/{token}.ics")).status_code == 200
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, letter in enumerate(token):
        other = alphabet[(alphabet.index(letter) + 32) % 64]
        answer = await stage.client.get(f"/c/{token[:place]}{other}{token[place + 1 :]}.ics")
        assert answer.status_code == 404
    assert (await stage.client.get(f"/p/{token}")).status_code == 404  # of another purpose


async def test_a_wrong_form_comes_back_as_it_was_filled_in(stage: Stage) -> None:
    """ST-58, ST-60: 422, what was typed, and which field."""
    browser = await stage.browser()
    await browser.get("/tasks")
    answer = await browser.send("/tasks", title="Lab <report>", duration_minutes="9999")
    assert answer.status_code == 422
    assert "Lab &lt;report&gt;" in answer.text
    assert 'id="error-duration_minutes"' in answer.text
    assert 'role="alert"' in answer.text


async def test_settings_and_calendars_by_form(stage: Stage) -> None:
    """ST-58: working hours, language, and a calendar file."""
    browser = await stage.browser()
    await browser.get("/settings")
    fields = {"zone": "Europe/Berlin", "locale": "zh-CN", "window-1": "08:00-12:00、 13:30–17:00", "window-7": ""}
    assert (await browser.send("/settings", **fields)).status_code == 303
    page = await browser.get("/settings")
    assert 'lang="zh-CN"' in page.text
    assert "08:00-12:00, 13:30-17:00" in page.text
    bad = await browser.send("/settings", **{"window-2": "morning"})
    assert bad.status_code == 422
    assert 'id="error-window-2"' in bad.text


async def test_a_calendar_file_by_form(stage: Stage) -> None:
    """ST-16, ST-58: chosen, sent, counted; no file is told at its field."""
    browser = await stage.browser()
    await browser.get("/calendars")
    form = browser.form("/calendars/import")
    file = {"calendar": ("uni.ics", CALENDAR.encode(), "text/calendar")}
    headers = PAGE_HEADERS | cookie(browser.cookies)
    answer = await stage.client.post("/calendars/import", data=form, files=file, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "Imported: 1 added" in answer.text
    assert "uni" in (await browser.get("/calendars")).text
    none = {"calendar": ("", b"", "application/octet-stream")}
    answer = await stage.client.post("/calendars/import", data=form | {"key": "x"}, files=none, headers=headers)
    assert answer.status_code == 422
    assert 'id="error-calendar"' in answer.text
