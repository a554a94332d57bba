"""Repeated calls at the same time, on PostgreSQL: one effect, one answer."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from outrider.core.canonical import canonical_json
from outrider.core.identity import message_id
from outrider.core.notification.codes import Code, Outcome
from tests.unit.integrations.town import ASKED, PREFIX, URL, Town

OPERATOR, ANNA = "olga:operator", "anna:recipient"


@pytest.fixture
async def town(postgres_url: str) -> AsyncIterator[Town]:
    made = Town(postgres_url)
    yield made
    await made.close()


async def test_repeated_post_sends_once(town: Town) -> None:
    """NT-54: ten at once under one key make one record; all are answered alike."""
    answers = await asyncio.gather(*(town.ask("k") for _ in range(10)))
    assert {one.status_code for one in answers} == {202}
    assert len({one.text for one in answers}) == 1
    assert sorted("Idempotency-Replayed" in one.headers for one in answers) == [False, *[True] * 9]
    assert (await town.call("GET", "/inbox/count", ANNA)).json() == {"unread": 1}
    assert len((await town.call("GET", "/records", OPERATOR)).json()["items"]) == 2


async def test_two_clicks_one_resend(town: Town) -> None:
    """NT-47, NT-54: of eight clicks on what one page showed, one sends again."""
    await town.call("PUT", "/recipients/anna/channels/mock", "shop:service", {})
    record_id = (await town.ask("k", route={"first_of": ["mock"]})).json()["records"][0]["id"]
    town.mock.answer(Outcome.PERMANENT_FAIL, Code.PAYLOAD_INVALID)
    while (await town.notifier.sweep()).scanned:
        continue
    seen = {"If-Match": (await town.call("GET", f"/records/{record_id}", OPERATOR)).headers["ETag"]}
    before = len(town.mock.calls)
    clicks = await asyncio.gather(
        *(town.call("POST", f"/records/{record_id}/replay", OPERATOR, {"mode": "resend"}, seen) for _ in range(8))
    )
    assert sorted(one.status_code for one in clicks) == [200, *[412] * 7]
    while (await town.notifier.sweep()).scanned:
        continue
    assert len(town.mock.calls) == before + 1


async def test_a_repeat_of_a_call_that_is_under_way_is_told_so(
    town: Town, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NT-54: the row held by another call for too long is 409, and nothing is lost by asking again."""
    monkeypatch.setattr("outrider.integrations.fastapi.gate.HELD_SECONDS", 0.2)
    call_id = message_id("http\nshop", "k")
    call_hash = sha256(canonical_json(["POST", f"{PREFIX}/records", ASKED])).digest()
    async with await psycopg.AsyncConnection.connect(postgres_url) as other:
        await other.execute(
            "INSERT INTO notification_request VALUES (%s, 'shop', %s, 202, '{}', now() + interval '1 day')",
            (call_id, call_hash),
        )
        held = await town.ask("k")
        assert (held.status_code, held.json()["code"], held.headers["Retry-After"]) == (
            409,
            "idempotency_in_progress",
            "1",
        )
        await other.rollback()
    assert (await town.ask("k")).status_code == 202


async def test_settings_and_preferences_are_saved_over_what_was_seen(town: Town) -> None:
    """NT-54: of two who saw the same version one is refused; who saw nothing special loses no secret of the other."""
    hook = {"webhook_url": URL, "bearer_token": "t", "auth_type": "bearer"}
    for version in ('"0"', '"1"'):
        for path, said in (("/preferences", {}), ("/channels/webhook", hook)):
            both = await asyncio.gather(*(town.call("PUT", path, ANNA, said, {"If-Match": version}) for _ in range(2)))
            assert sorted(one.status_code for one in both) == [200, 412], (path, version)
    blind = await asyncio.gather(*(town.call("PUT", "/channels/webhook", ANNA, {"enabled": True}) for _ in range(3)))
    assert {one.status_code for one in blind} == {200}
    assert (await town.call("GET", "/channels/webhook", ANNA)).json()["has_bearer_token"] is True


async def test_a_call_that_another_holds_up_is_told_so_on_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NT-54: where there is one writer it is waited for as long, and then answered 409; nothing is lost by asking again."""
    monkeypatch.setattr("outrider.integrations.fastapi.gate.HELD_SECONDS", 0.2)
    monkeypatch.setattr("outrider.storages.sqlite.storage.BUSY_TIMEOUT_SECONDS", 0.5)  # its thread is waited for
    town = Town(f"sqlite:///{tmp_path / 'town.db'}")
    with closing(sqlite3.connect(tmp_path / "town.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        held = await town.ask("k")
        assert (held.status_code, held.json()["code"], held.headers["Retry-After"]) == (
            409, "idempotency_in_progress", "1",
        )  # fmt: skip
        other.execute("ROLLBACK")
    assert (await town.ask("k")).status_code == 202
    await town.close()
