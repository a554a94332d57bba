"""The public `Notifier` in an application's own transaction, by a synchronous and an asynchronous library."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiosqlite
import psycopg
import pytest

from outrider import Notifier
from outrider.core.errors import NotificationNotFound, NoTransaction, Undecodable, WrongDatabase
from outrider.core.notification.request import NotificationRequest, Route
from outrider.testing.clock import ManualClock
from outrider.testing.mock_channel import MockChannel
from outrider.testing.schema import create_tables
from tests.unit.notification.desk import START

ASKED: dict[str, Any] = {
    "recipient_id": "anna", "kind": "important_urgent_task", "requested_at": START.isoformat(), "subject_type": "task",
    "subject_id": "1", "summary_text": "Buy milk", "locale": "en", "route": {"always": ["inbox"], "first_of": ["mock"]},
}  # fmt: skip


def notifier_of(url: str) -> Notifier:
    create_tables(url, "notification_")
    made = Notifier(database=url)
    inbox = made._parts.desk.channels["inbox"]
    return Notifier(database=url, channels={"inbox": inbox, "mock": MockChannel(ManualClock(START), "mock")})


async def test_a_request_is_accepted_in_the_callers_transaction(tmp_path: Path) -> None:
    """NT-1, OB-99: with what else it writes, or not at all; its status is told in the same transaction."""
    notifier = notifier_of(f"sqlite:///{tmp_path}/n.db")
    request_id = uuid4()
    with closing(sqlite3.connect(tmp_path / "n.db", isolation_level=None)) as tx:
        with pytest.raises(NoTransaction):
            notifier.accept(tx, ASKED)
        tx.execute("BEGIN IMMEDIATE")
        notifier.accept(tx, ASKED, request_id=request_id)
        tx.execute("ROLLBACK")
        tx.execute("BEGIN IMMEDIATE")
        assert notifier.status(tx, request_id) == []
        made = notifier.accept(tx, ASKED, request_id=request_id)
        assert [(one.channel, one.status, one.reused, one.delivered) for one in made] == [
            ("inbox", "sent", False, False),
            ("mock", "pending", False, False),
        ]
        assert [one.record_id for one in notifier.status(tx, request_id)] == [one.record_id for one in made]
        assert all(one.reused for one in notifier.accept(tx, ASKED, request_id=request_id))
        tx.execute("COMMIT")
    told = await notifier.attempt(made[1].record_id)
    assert told is not None
    assert (told.status, told.provider_error) == ("skipped", None)
    shown = await notifier.get(made[1].record_id)
    assert (shown.last_error_code, shown.title, shown.summary_text) == ("recipient_missing", None, None)
    with pytest.raises(NotificationNotFound):
        await notifier.get(UUID(int=7))
    assert await notifier.operations("olga").inbox.count("anna") == 1
    await notifier.close()


async def test_what_keeps_it_from_its_work_is_raised_by_itself(tmp_path: Path) -> None:
    """OB-99: a consumer that cannot start ends the notifier with its own error, which says who must act."""
    url = f"sqlite:///{tmp_path}/n.db"
    create_tables(url, "notification_")
    sqlite3.connect(tmp_path / "other.db").close()
    notifier = Notifier(database=url, transactions=f"sqlite:///{tmp_path}/other.db")
    await notifier.start()
    with pytest.raises(WrongDatabase):
        await notifier.wait()
    await notifier.close()


async def test_a_request_is_accepted_by_an_asynchronous_library(tmp_path: Path) -> None:
    """NT-1, OB-99: a value as a mapping, the same rules."""
    notifier = notifier_of(f"sqlite:///{tmp_path}/n.db")
    asked = NotificationRequest(uuid4(), "anna", "important_urgent_task", START, route=Route(("inbox",)))
    async with aiosqlite.connect(tmp_path / "n.db", isolation_level=None) as tx:
        await tx.execute("BEGIN IMMEDIATE")
        (made,) = await notifier.accept_async(tx, asked)
        with pytest.raises(Undecodable) as refused:
            await notifier.accept_async(tx, {**ASKED, "recipient_id": "a b"})
        assert refused.value.path == "recipient_id"
        with pytest.raises(Undecodable):
            await notifier.accept_async(tx, asked, request_id=uuid4())
        await tx.execute("COMMIT")
        await tx.execute("BEGIN")
        (found,) = await notifier.status_async(tx, asked.request_id)
        await tx.execute("COMMIT")
    assert (found.record_id, found.status, found.attempt_count) == (made.record_id, "sent", 0)
    await notifier.close()


async def test_a_request_is_accepted_in_a_transaction_of_psycopg(postgres_url: str) -> None:
    """NT-1: asynchronous, on PostgreSQL."""
    notifier = notifier_of(postgres_url)
    async with await psycopg.AsyncConnection.connect(postgres_url) as tx:
        made = await notifier.accept_async(tx, ASKED)
        assert [one.status for one in await notifier.status_async(tx, uuid4())] == []
    assert (await notifier.get(made[0].record_id)).status == "sent"
    await notifier.close()
