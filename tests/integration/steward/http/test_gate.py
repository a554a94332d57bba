"""What the gate lets in, and how it refuses: every row of ST-54, the common codes of ST-55, ST-57."""

import json
from typing import Any

import pytest

from steward.http.app import API, PAGES, ROUTES
from steward.http.headers import SECURITY
from steward.http.routes import Route
from steward.http.tasks_api import list_tasks
from steward.service.codes import CODES
from tests.integration.steward.http.stage import Stage

TASK = {"title": "Lab report", "priority_group": 2, "duration_minutes": 90}


def filled(path: str) -> str:
    return path.replace("{id}", "prv_none")


def refusal(answer: Any) -> dict[str, Any]:  # noqa: ANN401  an answer
    """Assert that it is a problem as ST-55 says, and give it."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) >= {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert body["type"] == f"/problems/{body['code']}"
    assert body["status"] == answer.status_code == CODES[body["code"]].status
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


async def test_route_by_scope_matrix(stage: Stage) -> None:
    """ST-57, X4: nobody is 401; a token without the route's scope 403; with it the route answers of itself."""
    for route in ROUTES:
        path = API + filled(route.path)
        nobody = await stage.client.request(route.method, path)
        assert refusal(nobody)["code"] == "unauthenticated"
        assert nobody.headers["www-authenticate"] == "Bearer"
        for scope in ("tasks", "calendar", "previews"):
            answer = await stage.call(route.method, filled(route.path), scopes=scope)
            assert (answer.status_code == 403) == (scope != route.scope), (route.path, scope)


async def test_a_route_without_a_scope_cannot_be_made(stage: Stage) -> None:
    """ST-57: deny by default; every address of the application is a route or a page, or says nothing of a person."""
    with pytest.raises(ValueError, match="names no scope"):
        Route("GET", "/anything", "", list_tasks, {})
    known = {(API + route.path) for route in ROUTES} | {page.path for page in PAGES}
    open_to_all = {"/livez", "/readyz", "/metrics", "/problems/{code}", "/static/{name}", f"{API}/openapi.json"}
    for one in stage.app.routes:
        path = getattr(one, "path", "")
        assert path in known | open_to_all or path.startswith(f"{API}/notification") or not path, path


async def test_tokens_that_are_not_good(stage: Stage) -> None:
    """ST-57: unknown, altered and revoked ones are all the same to the caller."""
    token = await stage.token()
    for header in ("", "Bearer ", f"Basic {token}", f"Bearer {token[:-1]}", "Bearer stw_", f"Bearer {token}x"):
        answer = await stage.client.get(f"{API}/tasks", headers={"authorization": header})
        assert refusal(answer)["code"] == "unauthenticated"
    assert (await stage.client.get(f"{API}/tasks", headers={"authorization": f"bearer {token}"})).status_code == 200
    await stage.steward.tokens.revoke("usr_ada", "test")
    answer = await stage.client.get(f"{API}/tasks", headers={"authorization": f"Bearer {token}"})
    assert refusal(answer)["code"] == "unauthenticated"


async def test_idempotency_rows(stage: Stage) -> None:
    """ST-54, row by row: missing, malformed, repeated, and used for something else."""
    assert refusal(await stage.call("POST", "/tasks", TASK, key=None))["code"] == "idempotency_key_required"
    for bad in ("a b", "x" * 192, "\x7f"):
        answer = await stage.call("POST", "/tasks", TASK, key=bad)
        assert refusal(answer)["code"] == "invalid_request"
    first = await stage.call("POST", "/tasks", TASK, key="one")
    again = await stage.call("POST", "/tasks", TASK, key='"one"')
    assert (first.status_code, again.status_code) == (201, 201)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert again.headers["etag"] == first.headers["etag"] == '"1"'
    assert again.headers["location"] == f"{API}/tasks/{first.json()['task_id']}"
    other = await stage.call("POST", "/tasks", {**TASK, "title": "Other"}, key="one")
    assert refusal(other)["code"] == "idempotency_mismatch"
    elsewhere = await stage.call("POST", "/events", {"title": "x", "start_at": "2026-11-23T09:00:00Z",
                                                     "end_at": "2026-11-23T10:00:00Z"}, key="one")  # fmt: skip
    assert refusal(elsewhere)["code"] == "idempotency_mismatch"
    assert len((await stage.call("GET", "/tasks")).json()["items"]) == 1


async def test_if_match_rows(stage: Stage) -> None:
    """ST-54: missing 428, stale 412 with the current version, then done."""
    made = await stage.call("POST", "/tasks", TASK)
    path = f"/tasks/{made.json()['task_id']}"
    assert (await stage.call("GET", path)).headers["etag"] == '"1"'
    assert refusal(await stage.call("PATCH", path, {"title": "B"}))["code"] == "precondition_required"
    assert refusal(await stage.call("DELETE", path))["code"] == "precondition_required"
    changed = await stage.call("PATCH", path, {"title": "B"}, if_match='"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    stale = refusal(await stage.call("PATCH", path, {"title": "C"}, if_match='"1"'))
    assert (stale["code"], stale["current"]) == ("version_mismatch", "2")
    assert (await stage.call("DELETE", path, if_match="*")).status_code == 200
    assert refusal(await stage.call("GET", path))["code"] == "not_found"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "invalid_request"),
        (b'{"title": "a", "title": "b"}', "invalid_request"),
        (b'{"title": NaN}', "invalid_request"),
        (b'{"title": 1e999}', "invalid_request"),
        (b'{"duration_minutes": ' + b"9" * 5000 + b"}", "invalid_request"),
        (b'{"title": "\\u0000"}', "invalid_request"),
        (b'{"title": "\\ud800"}', "invalid_request"),
        (b'{"title": "\xff"}', "invalid_request"),
        (b"[" * 33 + b"]" * 33, "invalid_request"),
        (b"[" * 30_000, "invalid_request"),
        (b"[]", "validation_failed"),
        (b'"text"', "validation_failed"),
        (b'{"unknown": 1}', "validation_failed"),
        (b'{"title": "a", "priority_group": true, "duration_minutes": 90}', "validation_failed"),
        (b'{"title": "a", "priority_group": 2, "duration_minutes": 90.5}', "validation_failed"),
        (b'{"title": "a", "priority_group": "2", "duration_minutes": 90}', "validation_failed"),
        (b'{"title": "' + b"x" * 70_000 + b'"}', "payload_too_large"),
    ],
)
async def test_bodies_that_are_refused(stage: Stage, content: bytes, code: str) -> None:
    """§18, ST-55: unreadable is 400, too large 413, a wrong field 422 with its name."""
    problem = refusal(await stage.call("POST", "/tasks", content=content))
    assert problem["code"] == code
    if code == "validation_failed" and content.startswith(b"{"):
        assert problem["errors"][0]["field"] in {"unknown", "title", "priority_group", "duration_minutes"}
    assert (await stage.call("GET", "/tasks")).json()["items"] == []


async def test_other_refusals(stage: Stage) -> None:
    """ST-55: media type, unknown address, method, query."""
    answer = await stage.call("POST", "/tasks", content=b"title=a", content_type="application/x-www-form-urlencoded")
    assert refusal(answer)["code"] == "unsupported_media_type"
    assert refusal(await stage.call("GET", "/nothing"))["code"] == "not_found"
    wrong = await stage.call("PUT", "/tasks")
    assert refusal(wrong)["code"] == "method_not_allowed"
    assert refusal(await stage.call("GET", "/tasks?limits=3"))["code"] == "invalid_request"
    for limit in ("0", "201", "x", "-1", "9" * 30):
        assert refusal(await stage.call("GET", f"/tasks?limit={limit}"))["code"] == "invalid_request"
    assert refusal(await stage.call("GET", "/tasks?cursor=abc"))["code"] == "invalid_request"


async def test_titles_follow_the_language_and_codes_do_not(stage: Stage) -> None:
    """ST-55."""
    english = refusal(await stage.call("GET", "/tasks/none", accept_language="en-GB"))
    chinese = refusal(await stage.call("GET", "/tasks/none", accept_language="zh-TW,en;q=0.5"))
    assert english["code"] == chinese["code"] == "not_found"
    assert english["title"] != chinese["title"]


async def test_unsafe_calls_are_limited(stage: Stage) -> None:
    """ST-57: a bucket of so many for each person; reading is free, another person is another bucket."""
    await stage.person("usr_bob")
    burst = stage.steward.http.burst
    answers = [await stage.call("POST", "/tasks/status", {"ids": ["a"]}, key=None) for _ in range(burst + 1)]
    assert [answer.status_code for answer in answers[:-1]] == [200] * burst
    assert refusal(answers[-1])["code"] == "rate_limited"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await stage.call("GET", "/tasks")).status_code == 200
    assert (await stage.call("POST", "/tasks/status", {"ids": ["a"]}, key=None, user="usr_bob")).status_code == 200


async def test_every_answer_has_the_headers(stage: Stage) -> None:
    """ST-63: whatever answers."""
    for path in (
        "/livez",
        "/nothing",
        "/",
        f"{API}/tasks",
        f"{API}/nothing",
        "/static/steward.css",
        "/problems/expired",
    ):
        answer = await stage.client.get(path)
        for name, value in SECURITY.items():
            assert answer.headers[name] == value, path
        assert "access-control-allow-origin" not in answer.headers
        assert ("no-store" in answer.headers["cache-control"]) == (not path.startswith("/static")), path


async def test_another_persons_rows_cannot_be_told_from_absent_ones(stage: Stage) -> None:
    """ST-55: 404, word for word."""
    await stage.person("usr_bob")
    task = (await stage.call("POST", "/tasks", TASK)).json()["task_id"]
    theirs = refusal(await stage.call("GET", f"/tasks/{task}", user="usr_bob"))
    absent = refusal(await stage.call("GET", "/tasks/tsk_none", user="usr_bob"))
    drop = {"request_id", "detail"}
    assert {k: v for k, v in theirs.items() if k not in drop} == {k: v for k, v in absent.items() if k not in drop}


async def test_declared_codes_are_all_there_are(stage: Stage) -> None:
    """ST-55: the document declares every status that a route may answer, by the codes' own."""
    document = (await stage.client.get(f"{API}/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for route in ROUTES:
        said = document["paths"][API + route.path][route.method.lower()]["responses"]
        assert set(said) == {str(route.status)} | {str(CODES[code].status) for code in route.all_codes}, route.path
        codes = {code for one in said.values() for code in one["description"].split(" · ") if code in CODES}
        assert codes == set(route.all_codes)
    declared = {code for route in ROUTES for code in route.all_codes}
    assert declared == set(CODES)
    assert json.dumps(document).count("$defs") == 0


async def test_every_code_has_its_page(stage: Stage) -> None:
    """ST-55: `type` leads somewhere."""
    for code in CODES:
        assert code in (await stage.client.get(f"/problems/{code}")).text
    assert (await stage.client.get("/problems/nothing")).status_code == 404
