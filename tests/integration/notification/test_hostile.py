"""Whatever is sent, the answer is a refusal or a result, and never our own failure."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outrider.core.events import ServiceFailed
from tests.unit.integrations.town import ASKED, PREFIX, URL, Town

NOBODY = "01990000-0000-7000-8000-000000000001"
HOSTILE: tuple[Any, ...] = (
    "\ud800", "\x00", "a\u202eb", "😀" * 500, "'; DROP TABLE x; --", "<script>", "../../etc", "", " ", 10**400, -1, 1.5e308,
    True, None, [], {}, [[]], {"a": {"b": [1]}}, ["\ud800"], {"\ud800": 1}, "2026-11-22T25:00:00Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
)  # fmt: skip
OF_A_SERVER = 7
"""The first of them are those that a server might take otherwise than a file."""
BODIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "/records", ASKED | {"deliver_at": None, "expires_at": None, "data": {"n": 1}, "priority": "low"}),
    (
        "POST",
        "/records/replay",
        {"filter": {"status": "dead", "kind": "x", "since": None}, "mode": "resume", "cursor": None},
    ),
    ("POST", f"/records/{NOBODY}/replay", {"mode": "resume"}),
    ("POST", f"/records/{NOBODY}/resolve", {"as": "sent", "note": "x"}),
    ("POST", f"/records/{NOBODY}/cancel", {"reason": "x"}),
    ("POST", f"/destinations/{32 * '00'}/pause", {"reason": "x"}),
    ("PUT", "/channels/webhook", {"webhook_url": URL, "auth_type": "none", "bearer_token": "t", "sign_secret": None}),
    ("PUT", "/recipients/anna/channels/email", {"email": "a@example.com", "enabled": True}),
    (
        "PUT",
        "/preferences",
        {"zone": "UTC", "locale": "en", "quiet": [], "order": [], "muted": {"channels": [], "kinds": []}},
    ),
)
EVERYBODY = "anna:recipient+service+operator+texts"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    kinds = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}
    url = f"sqlite:///{tmp_path}/town.db"
    if request.param in kinds:
        url = request.getfixturevalue(kinds[request.param])
    made = Town(url)
    yield made
    await made.close()


async def send(town: Town, method: str, path: str, content: bytes, number: int) -> int:
    headers = {
        "x-who": EVERYBODY, "content-type": "application/json", "Idempotency-Key": f"k{number}", "If-Match": '"1.1"',
    }  # fmt: skip
    if method == "PUT":
        del headers["If-Match"]
    answer = await town.client.request(method, PREFIX + path, content=content, headers=headers)
    assert answer.status_code < 500, (method, path, content[:300], answer.text, town.sink.of(ServiceFailed))
    return answer.status_code


@pytest.mark.timeout(120)
async def test_hostile_bodies_are_refused_or_taken(town: Town) -> None:
    """NT-55, §11: in every field of every body, and in place of the body."""
    number = 0
    on_a_file = town.notifier._parts.made.storage.dialect == "sqlite"
    values = (
        HOSTILE if on_a_file else HOSTILE[:OF_A_SERVER]
    )  # what is refused before any statement need not be asked thrice
    for method, path, body in BODIES:
        for field in body:
            for value in values:
                number += 1
                await send(town, method, path, json.dumps(body | {field: value}).encode(), number)
        for content in (
            b"",
            b"null",
            b"[]",
            b"1",
            b'"x"',
            b"{",
            b"\xff\xfe",
            b"[" * 20_000,
            b'{"a":1,"a":2}',
            b'{"a":Infinity}',
        ):
            number += 1
            assert await send(town, method, path, content, number) >= (200 if not content else 400)
    assert town.sink.of(ServiceFailed) == []


async def test_hostile_paths_and_queries_are_refused(town: Town) -> None:
    """NT-55, §11: what names nothing is not there, what cannot be read is refused."""
    parts = ("%00", "%ff", "%F0%9F%98%80", "..%2f..", "a" * 500, "-", "%27%20OR%201=1", "feishu", "{id}")
    paths = (
        "/channels/X",
        "/recipients/X/channels/mock",
        "/recipients/a/channels/X",
        "/records/X",
        "/records/X/attempts",
    )
    queries = (
        "status",
        "channel",
        "kind",
        "code",
        "recipient_id",
        "dedupe_key",
        "since",
        "until",
        "limit",
        "cursor",
        "x",
    )
    for part in parts:
        asked = [path.replace("X", part) for path in paths]
        asked += [f"/records?{name}={part}" for name in queries] + [
            f"/inbox?{name}={part}" for name in ("cursor", "limit")
        ]
        for path in asked:
            answer = await town.call("GET", path, EVERYBODY)
            assert answer.status_code < 500, (path, answer.text)
        for method, path in (
            ("POST", f"/inbox/{part}/read"),
            ("DELETE", f"/inbox/{part}"),
            ("DELETE", f"/channels/{part}"),
        ):
            assert (await town.call(method, path, EVERYBODY)).status_code < 500
    assert town.sink.of(ServiceFailed) == []


async def test_a_record_is_found_by_what_it_was_asked_with(town: Town) -> None:
    """NT-47: a key of any printable letters, in a query."""
    await town.ask("k", dedupe_key="straße 😀", route={"always": ["inbox"]})
    found = await town.call("GET", "/records?dedupe_key=stra%C3%9Fe%20%F0%9F%98%80", EVERYBODY)
    assert [one["dedupe_key"] for one in found.json()["items"]] == ["straße 😀"]
