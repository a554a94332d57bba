"""How often a page, a call and a confirm ask the database: what a person waits for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from steward.http.app import PAGES, ROUTES
from tests.integration.steward.http.stage import Stage
from tests.integration.steward.http.test_previews import suggested


@contextmanager
def counted(stage: Stage) -> Iterator[dict[str, int]]:
    """Transactions begun and statements sent on Steward's own connections."""
    found = {"begun": 0, "sent": 0}
    engine = stage.steward.storage._engine.sync_engine

    def begun(*_: Any) -> None:  # noqa: ANN401  what SQLAlchemy tells
        found["begun"] += 1

    def sent(*said: Any) -> None:  # noqa: ANN401  what SQLAlchemy tells
        found["sent"] += not str(said[2]).startswith("BEGIN")

    event.listen(engine, "begin", begun)
    event.listen(engine, "before_cursor_execute", sent)
    try:
        yield found
    finally:
        event.remove(engine, "begin", begun)
        event.remove(engine, "before_cursor_execute", sent)


async def test_whatever_is_looked_at_is_one_transaction(ample: Stage) -> None:
    """ST-62: every page and every GET of the API reads one moment, and from its second view on writes nothing."""
    preview = await suggested(ample)
    browser = await ample.browser()
    link = (await ample.call("POST", f"/previews/{preview['preview_id']}/links", {"purpose": "act"}, key=None)).json()
    pages = {page.path for page in PAGES if page.method == "GET"}
    calls = [route.path for route in ROUTES if route.method == "GET"]
    for path in sorted(pages):
        wanted = path.replace("{token}", link["token"]).replace("{id}", preview["preview_id"])
        await browser.get(wanted)
        with counted(ample) as found:
            await browser.get(wanted)
        assert found["begun"] <= 1, path
    for path in calls:
        wanted = path.replace("{id}", preview["preview_id"])
        await ample.call("GET", wanted)
        with counted(ample) as found:
            await ample.call("GET", wanted)
        assert found["begun"] == 1, path


async def test_a_page_by_link_takes_five_statements(stage: Stage) -> None:
    """The link, its preview, the person, the apply, the task."""
    preview = await suggested(stage)
    link = (await stage.call("POST", f"/previews/{preview['preview_id']}/links", {"purpose": "act"}, key=None)).json()
    first = await stage.client.get(link["path"])
    with counted(stage) as found:
        again = await stage.client.get(link["path"])
    assert (first.status_code, again.status_code) == (200, 200)
    assert found == {"begun": 1, "sent": 5}
