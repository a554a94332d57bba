"""Outrider's notifications for the same people: the inbox as a page, and the routes under their tokens (NT-52, ST-57)."""

import re

from sqlalchemy.ext.asyncio import AsyncEngine

from steward.http.app import API
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.http.stage import Stage

ASKED = {
    "recipient_id": "usr_ada",
    "kind": "important_urgent_task",
    "requested_at": "2026-11-23T12:00:00Z",
    "subject_type": "task_pool",
    "subject_id": "tsk_1",
    "summary_text": "Lab report <b>fits</b> Mon 23 Nov",
    "title": "Lab report",
    "locale": "en",
    "route": {"always": ["inbox"]},
}


async def told(stage: Stage, storage: AlchemyStorage) -> None:
    engine: AsyncEngine = storage._engine
    async with engine.begin() as connection:
        await stage.steward.notifier.accept_async(connection, ASKED)
    await stage.steward.notifier.sweep()


async def test_the_inbox_page(stage: Stage, storage: AlchemyStorage) -> None:
    """ST-58: items as text, the count on every page, read one by one or all."""
    await told(stage, storage)
    browser = await stage.browser()
    page = await browser.get("/")
    assert "1 unread" in page.text
    page = await browser.get("/inbox")
    assert "Lab report &lt;b&gt;fits&lt;/b&gt;" in page.text
    action = re.search(r'action="(/inbox/[^"/]+/read)"', page.text)
    assert action is not None
    assert (await browser.send(action[1])).status_code == 303
    assert "unread" not in (await browser.get("/inbox")).text.replace('class="unread"', "")
    await browser.get("/settings")
    form = {"csrf": browser.form("/sign-out")["csrf"], "key": "x"}
    for item in ("01990000-0000-7000-8000-000000000001", "none"):
        assert (await browser.post(f"/inbox/{item}/read", form)).status_code == 404
    assert (await browser.get("/inbox?cursor=forged")).status_code == 400
    assert (await browser.post("/inbox/read", form)).status_code == 303


async def test_notification_routes_take_our_tokens(stage: Stage, storage: AlchemyStorage) -> None:
    """NT-52, ST-57: everybody reaches their own rows, an admin's token sees records, a cookie opens nothing."""
    await told(stage, storage)
    inbox = (await stage.call("GET", "/notification/inbox")).json()
    assert [item["title"] for item in inbox["items"]] == ["Lab report"]
    assert (await stage.client.get(f"{API}/notification/inbox")).status_code == 401
    assert (await (await stage.browser()).get(f"{API}/notification/inbox")).status_code == 401
    assert (await stage.call("GET", "/notification/records")).status_code == 403
    await stage.person("usr_root", role="admin")
    seen = await stage.call("GET", "/notification/records", user="usr_root", scopes="admin,previews")
    assert seen.status_code == 200
    other = await stage.call("GET", "/notification/inbox", user="usr_root", scopes="previews")
    assert other.json()["items"] == []
