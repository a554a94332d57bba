"""How many statements an outbox sends, and in which order."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from outrider import AsyncOutbox, Message, Outbox
from outrider.testing.schema import create_tables
from tests.contract.transactions.callers import PREFIX, catalog


class Base(DeclarativeBase):
    """The application's tables."""


class Order(Base):
    """A business row."""

    __tablename__ = "shop_order"
    id: Mapped[str] = mapped_column(primary_key=True)


@pytest.fixture
def shop(postgres_url: str) -> str:
    create_tables(postgres_url, PREFIX)
    return postgres_url


def messages(count: int) -> list[Message]:
    return [Message("order.placed", {"n": n}, key=f"order-{n}") for n in range(count)]


def spy(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> list[str]:
    """Note the text of every statement that `owner.name` sends."""
    sent: list[str] = []
    inner: Callable[..., Any] = getattr(owner, name)

    def note(self: object, text: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever it is called with
        sent.append(text.decode() if isinstance(text, bytes) else str(text))
        return inner(self, text, *args, **kwargs)

    monkeypatch.setattr(owner, name, note)
    return sent


@pytest.mark.parametrize("count", [1, 2, 500])
def test_psycopg_one_round_trip(shop: str, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """OB-9, OB-99: one statement for any number of messages, once the database is known."""
    outbox = Outbox(catalog, "orders")
    with psycopg.connect(shop) as connection:
        outbox.add(connection, *messages(1))
        sent = spy(monkeypatch, psycopg.Cursor, "execute")
        outbox.add(connection, *messages(count))
    assert len(sent) == 1


@pytest.mark.parametrize("count", [1, 2, 500])
async def test_asyncpg_one_round_trip(shop: str, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """OB-9, OB-99: the same on asyncpg, and from another connection of the same database."""
    outbox = AsyncOutbox(catalog, "orders")
    first, second = await asyncpg.connect(shop), await asyncpg.connect(shop)
    async with first.transaction():
        await outbox.add(first, *messages(1))
    sent = spy(monkeypatch, asyncpg.Connection, "fetch")
    async with second.transaction():
        await outbox.add(second, *messages(count))
    assert len(sent) == 1
    await first.close()
    await second.close()


@pytest.mark.parametrize("count", [1, 2, 500])
def test_sqlalchemy_one_round_trip_after_the_flush(shop: str, count: int) -> None:
    """OB-9, OB-10: pending rows are written first, so the aggregate's lock is taken before the log id."""
    outbox, engine = Outbox(catalog, "orders"), create_engine(shop.replace(":", "+psycopg:", 1))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        outbox.add(session, *messages(1))
    sent: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, text, *_: sent.append(text.split("(")[0].strip()))
    with Session(engine) as session, session.begin():
        session.add(Order(id="order-17"))
        outbox.add(session, *messages(count))
    assert len(sent) == 2
    assert sent[0] == "INSERT INTO shop_order"
    engine.dispose()


def test_without_autoflush_the_caller_flushes(shop: str) -> None:
    """OB-10: autoflush off means off."""
    outbox, engine = Outbox(catalog, "orders"), create_engine(shop.replace(":", "+psycopg:", 1))
    Base.metadata.create_all(engine)
    with Session(engine, autoflush=False) as session, session.begin():
        order = Order(id="order-17")
        session.add(order)
        outbox.add(session, *messages(1))
        assert order in session.new
    with Session(engine) as session, session.begin():
        session.add(another := Order(id="order-18"))
        with session.no_autoflush:
            outbox.add(session, *messages(1))
        assert another in session.new
    engine.dispose()


def test_the_database_is_looked_up_once(tmp_path: Path) -> None:
    """OB-99: once a target; a database in memory has no name, so it is looked at each time."""
    outbox = Outbox(catalog, "orders")
    create_tables(f"sqlite:///{tmp_path / 'shop.db'}", PREFIX)
    looks = 0
    for _ in range(3):
        connection = sqlite3.connect(tmp_path / "shop.db")
        sent: list[str] = []
        connection.set_trace_callback(sent.append)
        outbox.add(connection, *messages(2))
        connection.close()
        looks += sum("sqlite_master" in text for text in sent)
    assert looks == 1


def test_a_changed_route_warns_once(tmp_path: Path) -> None:
    """OB-97: the outbox compares its catalog with the table, warns, and adds all the same."""
    create_tables(f"sqlite:///{tmp_path / 'shop.db'}", PREFIX)
    connection = sqlite3.connect(tmp_path / "shop.db")
    rows = [route.to_row() for route in catalog.routes.values() if "orders" in route.producers]
    rows[0]["hash"] = "0" * 64
    for row in rows:
        names = ", ".join([*row, "updated_at"])
        marks = ", ".join("?" * (len(row) + 1))
        connection.execute(f"INSERT INTO orders_outrider_route ({names}) VALUES ({marks})", [*row.values(), 0])
    outbox = Outbox(catalog, "orders")
    with pytest.warns(UserWarning, match=r"order\.placed: run") as caught:
        (added,) = outbox.add(connection, *messages(1))
    assert len(caught) == 1
    assert added.created
    outbox.add(connection, *messages(1))
    connection.close()
