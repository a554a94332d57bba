"""What is secret stands in no row, no answer, no log line and no metric (§16, §17, ST-57, ST-61; NT-44)."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import connect

import pytest

from outrider.telemetry.logs import LogSink
from steward.bootstrap.derive import derived
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward
from steward.http.app import API, PAGES, ROUTES
from steward.ports.rows.suggestion import TriggerRow
from tests.integration.steward.http.stage import Browser, Stage, cookie
from tests.integration.steward.test_roles import looking, running, until

SET = {"secret_key": "key of hunter2", "selector.api_key": "sk-hunter2"}
FEED = "https://127.0.0.1/private-hunter2.ics"


@dataclass
class Whole:
    """Steward as it is served, and its log."""

    stage: Stage
    steward: Steward
    stream: io.StringIO


@pytest.fixture
async def whole(database: Path) -> AsyncIterator[Whole]:
    model = {"selector.kind": "chat_completions", "selector.base_url": "http://127.0.0.1:9/v1", "selector.model": "m"}
    given = {"database.url": f"sqlite:///{database}", "http.rate": 1e6, "http.burst": 1_000_000, **model, **SET}
    read, stream = load(given, environment={}), io.StringIO()
    telemetry = LogSink(stream, level="info", format="json")
    steward = Steward(read.settings, derived(read, environment={}), telemetry=telemetry)
    made = Whole(Stage(steward), steward, stream)
    await made.stage.person("usr_ada")
    yield made
    await made.stage.client.aclose()
    await steward.close()


async def play(whole: Whole) -> tuple[list[str], str]:
    """A person's day: each secret that it had to do with, and all that can be asked for afterwards."""
    stage = whole.stage
    await stage.call("POST", "/calendars", {"url": FEED, "name": "Club"})
    wanted = {"title": "Lab report", "priority_group": 2, "duration_minutes": 90}
    task = (await stage.call("POST", "/tasks", wanted)).json()["task_id"]
    asked = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task}
    trigger = (await stage.call("POST", "/triggers", asked)).json()["trigger_id"]
    async with running(whole.steward, "consumer", "prepare"):
        await until(looking(whole.steward, TriggerRow, "preview_generated"))
    preview = (await stage.call("GET", f"/triggers/{trigger}")).json()["preview_id"]
    links = [
        (await stage.call("POST", f"/previews/{preview}/links", {"purpose": purpose}, key=None)).json()["path"]
        for purpose in ("view", "act")
    ]
    calendar = (await whole.steward.links.make_calendar("usr_ada"))["token"]
    once = await whole.steward.links.make_sign_in("usr_ada")
    anew = Browser(stage.client)
    await anew.get(once["path"])
    assert (await anew.send(once["path"])).status_code == 303
    for path in (*links, f"/c/{calendar}.ics"):
        assert (await stage.client.get(path)).status_code == 200
    browser, tokens = (
        await stage.browser(),
        [await stage.token(scopes=one) for one in ("tasks,calendar,previews", "admin")],
    )
    opened = [*(path.rpartition("/")[2] for path in links), calendar, once["token"]]
    secrets = [*SET.values(), "hunter2", FEED, *opened, *tokens, *browser.cookies.values()]
    return secrets, await everything(stage, browser, {"tasks": task, "previews": preview, "triggers": trigger})


async def everything(stage: Stage, browser: Browser, names: dict[str, str]) -> str:
    """All that can be asked for, by program and by page."""
    bearer, said = {"authorization": f"Bearer {await stage.token()}"}, list[str]()
    asked = [(API + route.path, bearer) for route in ROUTES if route.method == "GET"]
    asked += [(page.path, cookie(browser.cookies)) for page in PAGES if page.method == "GET"]
    asked += [("/metrics", {}), ("/readyz", {}), ("/livez", {}), (f"{API}/openapi.json", {})]
    for path, headers in asked:
        kind = next((name for name in names if f"/{name}/" in path), "")
        filled = path.replace("{id}", names.get(kind, "none")).replace("{token}", "none")
        answer = await stage.client.get(filled, headers=headers)
        said += [str(dict(answer.headers)), answer.text]
    return "\n".join(said)


@pytest.mark.timeout(60)
async def test_no_secret_in_any_log_row_answer_or_metric(whole: Whole, database: Path) -> None:
    """§17, §20: keys of the settings, a feed's address, tokens, links and cookies, each shown once to who is to have it."""
    secrets, answers = await play(whole)
    with connect(database) as connection:
        rows = "\n".join(connection.iterdump())
    log, metrics = whole.stream.getvalue(), whole.steward.exposition().decode()
    assert "preview.made" in log
    assert "Lab report" in answers
    for secret in secrets:
        for place, text in (("log", log), ("rows", rows), ("answers", answers), ("metrics", metrics)):
            assert secret not in text, (secret[:8], place)
