"""HEAD is GET without its body, wherever there is a GET; and 405 says what would be taken. ST-55, ST-62."""

from pathlib import Path
from sqlite3 import connect

from steward.http.app import API, PAGES, ROUTES
from tests.integration.steward.http.stage import Stage, cookie

OF_THE_MOMENT = {"x-request-id", "date"}
OPEN = ("/livez", "/readyz", "/metrics", "/problems/expired", "/problems/none", "/static/steward.css", "/nothing")
OF_NOTIFICATIONS = ("/channels", "/inbox", "/inbox/count", "/inbox/stream", "/preferences", "/records", "/nothing")


def rows(path: Path) -> list[str]:
    """Every row, but when a token and a sign-in were last used (ST-62)."""
    with connect(path) as connection:
        return [line for line in connection.iterdump() if "_token" not in line and "_session" not in line]


async def test_head_is_get_without_its_body(ample: Stage, database: Path) -> None:
    """ST-62: the same status and headers for programs, people and probes; it changes nothing, and ends where GET goes on."""
    browser = await ample.browser()
    token = {"authorization": f"Bearer {await ample.token(scopes='tasks,calendar,previews,admin')}"}
    made = (await ample.call("POST", "/tasks", {"title": "a", "priority_group": 2, "duration_minutes": 30})).json()
    asked = [(API + route.path.replace("{id}", made["task_id"]), token) for route in ROUTES if route.method == "GET"]
    asked += [(f"{API}/notification{path}", token) for path in OF_NOTIFICATIONS]
    asked += [(f"{API}/openapi.json", {}), (f"{API}/tasks", {}), *((path, {}) for path in OPEN)]
    for page in PAGES:
        if page.method == "GET":
            path = page.path.replace("{id}", made["task_id"]).replace("{token}", "none")
            asked += [(path, cookie(browser.cookies)), (path, {})]
    before = rows(database)
    for path, headers in asked:
        head = await ample.client.head(path, headers=headers)
        assert head.content == b"", path
        if not path.endswith("/stream"):
            get = await ample.client.get(path, headers=headers)
            assert head.status_code == get.status_code, path
            assert head.headers.keys() == get.headers.keys(), path
            fixed = get.headers.keys() - OF_THE_MOMENT - {"content-length"}
            assert {name: head.headers[name] for name in fixed} == {name: get.headers[name] for name in fixed}, path
    assert rows(database) == before


async def test_a_method_that_is_not_taken_says_which_are(stage: Stage) -> None:
    """ST-55, RFC 9110: 405 with Allow, of every route of the address."""
    for path, method, allowed in (
        (f"{API}/tasks", "PUT", {"GET", "HEAD", "POST"}),
        (f"{API}/tasks/tsk_a", "POST", {"GET", "HEAD", "PATCH", "DELETE"}),
        (f"{API}/tasks/status", "DELETE", {"POST"}),
        (f"{API}/calendars/import", "DELETE", {"POST"}),
        (f"{API}/notification/inbox/count", "DELETE", {"GET"}),
        (f"{API}/notification/inbox/count", "POST", {"GET", "HEAD"}),
        (f"{API}/notification/preferences", "DELETE", {"GET", "HEAD", "PUT"}),
        (f"{API}/tasks", "OPTIONS", {"GET", "HEAD", "POST"}),
        ("/tasks", "DELETE", {"GET", "HEAD", "POST"}),
        ("/sign-out", "HEAD", {"POST"}),
        ("/livez", "POST", {"GET", "HEAD"}),
    ):
        answer = await stage.client.request(method, path)
        assert answer.status_code == 405, path
        assert set(answer.headers["allow"].split(", ")) == allowed, path
        assert answer.headers["x-request-id"]
