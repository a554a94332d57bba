"""Every route of notifications: who may call it, what it answers, and what a refusal looks like."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from starlette.requests import Request

from outrider.core.errors import StorageUnavailable
from outrider.core.events import ServiceFailed
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.traits import ChannelTraits, SendPolicy
from outrider.integrations.fastapi.gate import Call
from outrider.integrations.fastapi.problems import CODES, Problem
from outrider.integrations.fastapi.router import ROUTES
from outrider.integrations.fastapi.routes import Route
from outrider.integrations.fastapi.stream import inbox_stream
from outrider.ports.http import Principal, Role
from outrider.testing.mock_channel import TRAITS
from tests.unit.integrations.town import ASKED, PREFIX, URL, Town, sqlite_town

OPERATOR, SERVICE, ANNA = "olga:operator", "shop:service", "anna:recipient"
NOBODY = "01990000-0000-7000-8000-000000000001"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    made = sqlite_town(tmp_path)
    yield made
    await made.close()


async def dead_record(town: Town, **changes: object) -> str:
    """A record that its provider refused."""
    await town.call("PUT", "/recipients/anna/channels/mock", SERVICE, {})
    made = (await town.ask(str(uuid4()), subject_id=str(uuid4()), route={"first_of": ["mock"]}, **changes)).json()
    town.mock.answer(Outcome.PERMANENT_FAIL, Code.RECIPIENT_REFUSED)
    await town.notifier.sweep()
    await town.call("PUT", "/recipients/anna/channels/mock", SERVICE, {})
    return str(made["records"][0]["id"])


def filled(path: str) -> str:
    """A route's path with something in its parts."""
    values = {"{channel}": "webhook", "{id}": NOBODY, "{key}": "00" * 32, "{recipient_id}": "anna"}
    for part, value in values.items():
        path = path.replace(part, value)
    return path


async def test_role_by_route_matrix(town: Town) -> None:
    """NT-52, X4: nobody is 401, every role that the route does not name 403, `texts` opens nothing."""
    for route in ROUTES:
        path = filled(route.path)
        assert (await town.call(route.method, path, None)).status_code == 401, path
        for role in ("recipient", "service", "operator", "texts"):
            if role not in route.roles:
                refused = await town.call(route.method, path, f"anna:{role}")
                assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), (path, role)
            elif not path.endswith("/stream"):
                assert (await town.call(route.method, path, f"anna:{role}")).status_code not in {401, 403}, (path, role)


def test_every_route_of_the_router_is_in_the_table_with_its_roles(tmp_path: Path) -> None:
    """NT-52, X4: a route without roles fails the build."""
    town = sqlite_town(tmp_path)
    served = {(method, route.path) for route in town.router.routes for method in route.methods}  # type: ignore[attr-defined]
    assert served == {(route.method, PREFIX + route.path) for route in ROUTES}
    assert len(ROUTES) == 27
    said = town.app.openapi()["paths"]
    assert said[f"{PREFIX}/records"]["get"]["x-roles"] == ["operator"]

    async def anything(call: Any) -> Any:  # noqa: ANN401  never called
        return call

    for roles in (frozenset[Role](), frozenset[Role]({"texts"})):
        with pytest.raises(ValueError, match="names no role"):
            Route("GET", "/secret", roles, anything, {})


async def test_foreign_rows_are_404(town: Town) -> None:
    """NT-52: a recipient reaches its own rows alone, and cannot tell another's from none."""
    await town.ask("k", route={"always": ["inbox"]})
    (item,) = (await town.call("GET", "/inbox", ANNA)).json()["items"]
    for method, path in (("POST", f"/inbox/{item['id']}/read"), ("DELETE", f"/inbox/{item['id']}")):
        answer = await town.call(method, path, "bob:recipient")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.json()["detail"] == (
            await town.call(method, f"/inbox/{NOBODY}/read"[: len(path)], ANNA)
        ).json().get("detail", answer.json()["detail"])
    assert (await town.call("GET", "/inbox", "bob:recipient")).json() == {"items": [], "next_cursor": None}
    await town.call("PUT", "/channels/webhook", ANNA, {"webhook_url": URL})
    assert (await town.call("GET", "/channels/webhook", "bob:recipient")).json()["configured"] is False
    assert (await town.call("GET", f"/records/{NOBODY}", ANNA)).status_code == 403
    for path in (f"/records/{NOBODY}", "/records/7"):
        assert (await town.call("GET", path, OPERATOR)).status_code == 404
    assert (await town.call("POST", f"/inbox/{item['id']}/read", ANNA)).status_code == 200
    assert (await town.call("GET", "/inbox/count", ANNA)).json() == {"unread": 0}


async def test_repeated_post_sends_once(town: Town) -> None:
    """NT-54: the same key and body give the same answer, also after the dedupe window; another body is refused."""
    first = await town.ask("key-1")
    assert first.status_code == 202
    assert [(one["channel"], one["reused"]) for one in first.json()["records"]] == [("inbox", False), ("mock", False)]
    again = await town.ask("key-1")
    assert (again.status_code, again.json()) == (202, first.json())
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    quoted = await town.call("POST", "/records", SERVICE, ASKED, {"Idempotency-Key": '"key-1"'})
    assert quoted.headers["Idempotency-Replayed"] == "true"
    other = await town.ask("key-1", subject_id="2")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert (await town.call("GET", "/inbox/count", ANNA)).json() == {"unread": 1}
    duplicate = await town.ask("key-2")
    assert all(one["reused"] for one in duplicate.json()["records"])
    stranger = await town.call(
        "POST", "/records", "crm:service", ASKED | {"subject_id": "3"}, {"Idempotency-Key": "key-1"}
    )
    assert stranger.status_code == 202
    assert stranger.json()["request_id"] != first.json()["request_id"]
    missing = await town.call("POST", "/records", SERVICE, ASKED)
    assert (missing.status_code, missing.json()["code"]) == (428, "idempotency_key_required")
    for key in ("", "a b", "k" * 192):
        wrong = await town.call("POST", "/records", SERVICE, ASKED, {"Idempotency-Key": key})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_request")


async def test_two_clicks_one_resend(town: Town) -> None:
    """NT-47, NT-54: replay and resolve take the ETag of what was seen; the second click is 412."""
    record_id = await dead_record(town)
    path = f"/records/{record_id}/replay"
    seen = (await town.call("GET", f"/records/{record_id}", OPERATOR)).headers["ETag"]
    blind = await town.call("POST", path, OPERATOR, {"mode": "resend"})
    assert (blind.status_code, blind.json()["code"]) == (428, "precondition_required")
    clicks = await asyncio.gather(
        *(town.call("POST", path, OPERATOR, {"mode": "resend"}, {"If-Match": seen}) for _ in range(2))
    )
    assert sorted(one.status_code for one in clicks) == [200, 412]
    await town.notifier.sweep()
    assert len(town.mock.calls) == 2, "the first, and one re-send"
    for wrong in ("*", '"x"', '"1.1"'):
        answer = await town.call("POST", path, OPERATOR, {"mode": "resend"}, {"If-Match": wrong})
        assert (answer.status_code, answer.json()["code"]) == (412, "version_mismatch")


async def test_mask_forms(town: Town) -> None:
    """NT-44, NT-45, §12: settings are written, and read back masked; the same for another person by a service."""
    said = {"webhook_url": URL, "auth_type": "bearer", "bearer_token": "very-secret-token"}
    saved = await town.call("PUT", "/channels/webhook", ANNA, said)
    shown = {
        "channel": "webhook", "enabled": True, "configured": True, "webhook_url_mask": "https://hook.example/…/T012...cdef",
        "auth_type": "bearer", "has_bearer_token": True, "has_sign_secret": False, "state": "ok", "version": 1,
    }  # fmt: skip
    assert (saved.status_code, saved.json(), saved.headers["ETag"]) == (200, shown, '"1"')
    assert (await town.call("GET", "/channels/webhook", ANNA)).json() == shown
    assert (await town.call("GET", "/recipients/anna/channels/webhook", SERVICE)).json() == shown
    unset = (await town.call("GET", "/channels/mock", ANNA)).json()
    assert (unset["configured"], unset["auth_type"]) == (False, "none")
    listed = (await town.call("GET", "/channels", ANNA)).json()["items"]
    assert [one["channel"] for one in listed] == ["apprise", "email", "mock", "webhook"]
    stale = await town.call("PUT", "/channels/webhook", ANNA, said, {"If-Match": '"7"'})
    assert stale.status_code == 412
    assert "very-secret" not in saved.text + json.dumps(listed)
    assert URL not in saved.text + json.dumps(listed)
    assert (await town.call("DELETE", "/channels/webhook", ANNA)).json() == {"deleted": True}
    assert (await town.call("GET", "/channels/webhook", ANNA)).json()["configured"] is False


async def test_nobody_aims_a_channel_at_a_third_person(town: Town) -> None:
    """§12: e-mail is set by a service, Apprise by an operator alone."""
    assert (await town.call("PUT", "/channels/email", ANNA, {"email": "eve@example.com"})).status_code == 403
    put = await town.call("PUT", "/recipients/anna/channels/email", SERVICE, {"email": "anna@example.com"})
    assert (put.status_code, put.json()["email"]) == (200, "anna@example.com")
    apprise = "/recipients/anna/channels/apprise"
    assert (await town.call("PUT", apprise, SERVICE, {"apprise_url": "tgram://secret/1"})).status_code == 403
    set_by = await town.call("PUT", apprise, OPERATOR, {"apprise_url": "tgram://secret/1"})
    assert (set_by.status_code, set_by.json()["webhook_url_mask"]) == (200, "tgram://****")


async def test_a_test_send_is_answered(town: Town) -> None:
    """§12: fixed text, and how it went; five a minute."""
    await town.call("PUT", "/channels/mock", ANNA, {})
    tried = (await town.call("POST", "/channels/mock/test", ANNA)).json()
    assert (tried["channel"], tried["status"], tried["skipped"], tried["provider"]) == (
        "mock",
        "success",
        False,
        "mock",
    )
    for _ in range(4):
        assert (await town.call("POST", "/channels/mock/test", ANNA)).status_code == 200
    limited = await town.call("POST", "/channels/mock/test", ANNA)
    assert (limited.status_code, limited.json()["code"], limited.headers["Retry-After"]) == (429, "rate_limited", "12")
    assert (await town.call("GET", "/channels/mock", ANNA)).json()["last_test_status"] == "success"
    assert (await town.call("GET", "/channels/feishu", ANNA)).status_code == 404


async def test_records_are_found_and_shown_without_their_texts(town: Town) -> None:
    """NT-47, §12: pages with a cursor; titles, texts and bodies are null without the role `texts`."""
    made = [await dead_record(town) for _ in range(3)]
    page = (await town.call("GET", "/records?status=dead&recipient_id=anna&limit=2", OPERATOR)).json()
    assert [one["id"] for one in page["items"]] == [made[2], made[1]]
    rest = await town.call("GET", f"/records?status=dead&limit=2&cursor={page['next_cursor']}", OPERATOR)
    assert [one["id"] for one in rest.json()["items"]] == [made[0]]
    bare = await town.call("GET", f"/records/{made[0]}", OPERATOR)
    assert (bare.json()["title"], bare.json()["summary_text"], bare.json()["data"]) == (None, None, None)
    assert "milk" not in bare.text.lower()
    whole = (await town.call("GET", f"/records/{made[0]}", "olga:operator+texts")).json()
    assert (whole["title"], whole["summary_text"]) == ("Milk title", "Buy milk")
    attempts = (await town.call("GET", f"/records/{made[0]}/attempts", OPERATOR)).json()["items"]
    assert [(one["outcome"], one["request"]) for one in attempts] == [("permanent_fail", None)]


async def test_a_filter_is_replayed_once_a_key(town: Town) -> None:
    """NT-47, NT-54: a dry run counts; the same key replays nothing more."""
    for _ in range(2):
        await dead_record(town)
    said, key = {"filter": {"status": "dead"}, "mode": "resume"}, {"Idempotency-Key": "r1"}
    counted = await town.call("POST", "/records/replay", OPERATOR, said | {"dry_run": True}, key)
    assert counted.json() == {"count": 2, "left": 0, "next_cursor": None}
    done = await town.call("POST", "/records/replay", OPERATOR, said, key)
    assert (done.status_code, done.json()["count"]) == (200, 2)
    again = await town.call("POST", "/records/replay", OPERATOR, said, key)
    assert (again.json()["count"], again.headers["Idempotency-Replayed"]) == (2, "true")
    assert (await town.call("POST", "/records/replay", OPERATOR, said, {"Idempotency-Key": "r2"})).json()["count"] == 0
    refused: list[dict[str, Any]] = [
        {"filter": {}},
        {"filter": {"colour": "red"}},
        {"mode": "again"},
        {"dry_run": "yes"},
        {"cursor": 5},
    ]
    for wrong in refused:
        answer = await town.call("POST", "/records/replay", OPERATOR, said | wrong, key)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), wrong


async def test_records_are_withdrawn_and_resolved(tmp_path: Path) -> None:
    """T12, T16, §12: what cannot be done in a state is 409 and names the state."""
    town = Town(f"sqlite:///{tmp_path}/t.db", ChannelTraits(SendPolicy.AT_MOST_ONCE, TRAITS.timeout))
    await town.call("PUT", "/recipients/anna/channels/mock", SERVICE, {})
    made = (await town.ask("k", route={"first_of": ["mock"]})).json()["records"][0]["id"]
    town.mock.answer(Outcome.UNKNOWN)
    await town.notifier.sweep()
    conflict = await town.call("POST", f"/records/{made}/cancel", SERVICE, {"reason": "late"})
    assert (conflict.status_code, conflict.json()["code"], conflict.json()["record_status"]) == (
        409, "state_conflict", "unknown",
    )  # fmt: skip
    seen = {"If-Match": (await town.call("GET", f"/records/{made}", OPERATOR)).headers["ETag"]}
    path = f"/records/{made}/resolve"
    for wrong in ({"as": "gone", "note": "x"}, {"as": "sent"}, {"as": "sent", "note": "x", "extra": 1}):
        assert (await town.call("POST", path, OPERATOR, wrong, seen)).status_code == 422
    solved = await town.call("POST", path, OPERATOR, {"as": "sent", "note": "she has it"}, seen)
    assert (solved.status_code, solved.json()["status"]) == (200, "sent")
    waiting = (await town.ask("k2", route={"first_of": ["mock"]}, subject_id="9")).json()["records"][0]["id"]
    canceled = await town.call("POST", f"/records/{waiting}/cancel", SERVICE, {"reason": "not wanted"})
    assert canceled.json() == {"id": waiting, "status": "canceled"}
    await town.close()


async def test_destinations_are_paused_and_resumed(town: Town) -> None:
    """NT-26: masked, by their key."""
    await dead_record(town)
    (there,) = (await town.call("GET", "/destinations", OPERATOR)).json()["items"]
    assert (there["label"], there["state"]) == ("mock:anna", "closed")
    paused = await town.call("POST", f"/destinations/{there['key']}/pause", OPERATOR, {"reason": "a move"})
    assert paused.json()["state"] == "paused"
    assert (await town.call("GET", "/destinations", OPERATOR)).json()["items"][0]["reason"] == "a move"
    resumed = await town.call("POST", f"/destinations/{there['key']}/resume", OPERATOR)
    assert resumed.json() == {"key": there["key"], "state": "closed", "released": 0}
    assert (await town.call("POST", "/destinations/nonsense/pause", OPERATOR)).status_code == 404


async def test_preferences_and_inbox_are_the_callers_own(town: Town) -> None:
    """§12: idempotent by state, pages with a cursor, versions."""
    saved = await town.call("PUT", "/preferences", ANNA, {"zone": "Europe/Berlin", "locale": "en"}, {"If-Match": '"0"'})
    assert (saved.status_code, saved.headers["ETag"], saved.json()["zone"]) == (200, '"1"', "Europe/Berlin")
    assert (await town.call("PUT", "/preferences", ANNA, {}, {"If-Match": '"0"'})).status_code == 412
    wrong = await town.call("PUT", "/preferences", ANNA, {"zone": "Mars"})
    assert [one["field"] for one in wrong.json()["errors"]] == ["zone"]
    assert (await town.call("GET", "/preferences", "bob:recipient")).json()["version"] == 0
    for number in range(3):
        await town.ask(f"i{number}", route={"always": ["inbox"]}, subject_id=str(number))
    page = (await town.call("GET", "/inbox?limit=2", ANNA)).json()
    rest = (await town.call("GET", f"/inbox?limit=2&cursor={page['next_cursor']}", ANNA)).json()
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)
    for _ in range(2):
        assert (await town.call("POST", f"/inbox/{page['items'][0]['id']}/read", ANNA)).status_code == 200
    assert len((await town.call("GET", "/inbox?unread=true", ANNA)).json()["items"]) == 2
    assert (await town.call("POST", "/inbox/read-all", ANNA)).status_code == 200
    assert (await town.call("GET", "/inbox/count", ANNA)).json() == {"unread": 0}
    for _ in range(2):
        assert (await town.call("DELETE", f"/inbox/{page['items'][0]['id']}", ANNA)).status_code == 200
    assert len((await town.call("GET", "/inbox", ANNA)).json()["items"]) == 2
    for query in ("/inbox?limit=0", "/inbox?cursor=x", "/inbox?unread=maybe"):
        assert (await town.call("GET", query, ANNA)).json()["code"] == "invalid_request"
    for query in ("status=lost", "colour=red", "since=yesterday", "channel=", "limit=201", "cursor=x"):
        assert (await town.call("GET", f"/records?{query}", OPERATOR)).json()["code"] == "invalid_request"


async def test_every_problem_has_its_shape_and_code(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """NT-55, ST-55: RFC 9457 with code, request id and errors; titles in the caller's language, codes never."""
    post, key = ("POST", "/records", SERVICE), {"Idempotency-Key": "p"}

    async def raw(body: bytes, kind: str = "application/json") -> httpx2.Response:
        headers = {"x-who": SERVICE, "content-type": kind, **key}
        return await town.client.request("POST", f"{PREFIX}/records", content=body, headers=headers)

    found = {
        "unauthenticated": await town.call("GET", "/inbox", None),
        "forbidden": await town.call("GET", "/records", ANNA),
        "not_found": await town.call("GET", f"/records/{NOBODY}", OPERATOR),
        "invalid_request": await raw(b"{nonsense"),
        "payload_too_large": await raw(b'"' + b"x" * 40_000 + b'"'),
        "unsupported_media_type": await raw(b"{}", "text/plain"),
        "idempotency_key_required": await town.call(*post, ASKED),
        "precondition_required": await town.call("POST", f"/records/{NOBODY}/replay", OPERATOR, {"mode": "resend"}),
        "unsafe_url": await town.call("PUT", "/channels/webhook", ANNA, {"webhook_url": "http://169.254.169.254/"}),
        "validation_failed": await town.call(*post, ASKED | {"recipient_id": "a b"}, key),
        "version_mismatch": await town.call("PUT", "/preferences", ANNA, {}, {"If-Match": '"9"'}),
    }
    for code, answer in found.items():
        status, english, chinese = CODES[code]
        said = answer.json()
        assert answer.headers["content-type"] == "application/problem+json", code
        assert (answer.status_code, said["status"], said["code"], said["type"], said["title"]) == (
            status, status, code, f"/problems/{code}", english,
        )  # fmt: skip
        assert said["request_id"] == answer.headers["X-Request-Id"] == str(UUID(said["request_id"]))
        assert isinstance(said["errors"], list)
        assert chinese != english
        assert answer.headers["Cache-Control"] == "no-store"
    assert [one["field"] for one in found["validation_failed"].json()["errors"]] == ["recipient_id"]
    assert "169.254" not in found["unsafe_url"].text
    unknown_kind = await town.call(*post, ASKED | {"kind": "nobody_knows"}, key)
    assert unknown_kind.json()["code"] == "validation_failed"
    for body in (b'{"a": NaN}', b"", b"[1]"):
        assert (await raw(body)).json()["code"] in {"invalid_request", "validation_failed"}
    translated = await town.call("GET", "/inbox", None, headers={"Accept-Language": "zh-CN,en;q=0.5"})
    assert (translated.json()["title"], translated.json()["code"]) == (CODES["unauthenticated"][2], "unauthenticated")

    async def gone(*_: object, **__: object) -> None:
        raise StorageUnavailable("the database is away at db.internal")

    monkeypatch.setattr("outrider.runtime.sessions.SessionPool.run", gone)
    away = await town.call("GET", "/records", OPERATOR)
    assert (away.status_code, away.json()["code"], away.headers["Retry-After"]) == (503, "unavailable", "1")
    assert "db.internal" not in away.text

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr("outrider.runtime.sessions.SessionPool.run", broken)
    failed = await town.call("GET", "/records", OPERATOR)
    assert (failed.status_code, failed.json()["code"]) == (500, "internal_error")
    assert "secret" not in failed.text


async def test_unsafe_calls_are_limited(tmp_path: Path) -> None:
    """NT-55: so many at once and so many a second for each caller; reading is not limited."""
    town = sqlite_town(tmp_path, **{"notification.http.burst": 2, "notification.http.rate": 1})
    codes = [(await town.call("POST", "/inbox/read-all", ANNA)).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert (await town.call("POST", "/inbox/read-all", "bob:recipient")).status_code == 200
    assert (await town.call("GET", "/inbox", ANNA)).status_code == 200
    await town.close()


async def test_streams_are_limited_for_each_caller(town: Town) -> None:
    """§12: one more than five is refused, and another's are not counted; what ended is free again."""
    request = Request({"type": "http", "headers": []})
    call = Call(request, Principal("anna", frozenset({"recipient"})), {}, town.notifier, Counter(anna=5, bob=1))
    with pytest.raises(Problem) as refused:
        inbox_stream(call)
    assert refused.value.code == "rate_limited"


async def test_an_authenticator_that_names_nobody_is_our_fault(town: Town) -> None:
    """NT-52: who calls is named in rows; a name that no row takes is refused before anything is done."""
    for name in ("a b", "x" * 65):
        answer = await town.call("GET", "/inbox", f"{name}:recipient")
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert [event.code for event in town.sink.of(ServiceFailed)] == ["config.invalid", "config.invalid"]
