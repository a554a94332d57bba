"""The program that the specification shows to users, as it is written there."""

import sqlite3
from decimal import Decimal
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
import pytest
from pydantic import BaseModel
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from outrider import AsyncOutbox, Catalog, Message, MessageState, Outbox, message_id
from outrider.testing.schema import create_tables

catalog = Catalog("orders", "billing")
catalog.declare("order.counted", owner="orders")


@catalog.event("order.placed", version=2, owner="orders", consumers=["billing"], key="order_id")
class OrderPlaced(BaseModel):
    """A typed event."""

    order_id: str
    total: Decimal
    currency: str


@catalog.upcast("order.placed", from_version=1)
def with_currency(data: dict[str, object]) -> dict[str, object]:
    return {**data, "currency": "EUR"}


class Base(DeclarativeBase):
    """The application's tables."""


class Order(Base):
    """A business row."""

    __tablename__ = "order"
    id: Mapped[str] = mapped_column(primary_key=True)


placed = OrderPlaced(order_id="order-17", total=Decimal("12.50"), currency="EUR")


@pytest.fixture
def dsn(postgres_url: str) -> str:
    create_tables(postgres_url, "orders_")
    return postgres_url


async def test_the_program_on_postgresql(dsn: str) -> None:
    """OB-1, OB-8, OB-82: one database, five libraries, two outboxes; every message is in the log, once."""
    outbox, async_outbox = Outbox(catalog, "orders"), AsyncOutbox(catalog, "orders")
    engine = create_engine(dsn.replace(":", "+psycopg:", 1))
    async_engine = create_async_engine(dsn.replace(":", "+asyncpg:", 1))
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(Order(id="order-17"))
        (added,) = outbox.add(session, placed)
    async with AsyncSession(async_engine) as async_session, async_session.begin():
        await async_outbox.add(async_session, placed)
    with psycopg.connect(dsn) as conn, conn.transaction():
        outbox.add(conn, placed, Message("order.counted", {"n": 1}, key="order-17", idempotency_key="count:order-17"))
    async with await psycopg.AsyncConnection.connect(dsn) as aconn:
        await async_outbox.add(aconn, placed)
    async with asyncpg.create_pool(dsn, min_size=1) as pool, pool.acquire() as borrowed, borrowed.transaction():
        await async_outbox.add(borrowed, placed)
    with Session(engine) as session:
        assert outbox.status(session, added.message_id).state is MessageState.PENDING
        stored = outbox.get(session, added.log_id)
        counted = outbox.get(session, message_id("orders", "count:order-17"))
        assert len(outbox.due(session)) == 6
    assert (stored.type, stored.version, stored.key) == ("order.placed", 2, "order-17")
    assert stored.payload == b'{"currency":"EUR","order_id":"order-17","total":"12.50"}'
    assert (counted.type, counted.payload) == ("order.counted", b'{"n":1}')
    engine.dispose()
    await async_engine.dispose()


def test_the_program_on_sqlite(tmp_path: Path) -> None:
    """OB-8, OB-82: `with` commits."""
    create_tables(f"sqlite:///{tmp_path / 'shop.db'}", "orders_")
    outbox = Outbox(catalog, "orders")
    with sqlite3.connect(tmp_path / "shop.db", isolation_level=None) as conn:
        conn.execute("BEGIN IMMEDIATE")
        outbox.add(conn, placed)
    assert [due.key for due in outbox.due(conn)] == ["order-17"]
    conn.close()
