"""faststream-outbox draining to an empty handler, as a process."""

import asyncio
from typing import Any

from faststream_outbox import OutboxBroker, make_outbox_table
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from benchmarks.drain import Drain, main
from benchmarks.enqueue_models import sqlalchemy_url
from benchmarks.shop import payload

QUEUE = "orders"
SETTINGS = ("max_workers", "fetch_batch_size", "terminal_flush_batch_size", "apply_types", "uvloop")
CANDIDATES: list[dict[str, Any]] = [
    dict(zip(SETTINGS, values, strict=True))
    for values in (
        (10, 100, 100, True, False),
        (10, 100, 100, False, True),
        (4, 1000, 1000, False, True),
        (10, 1000, 1000, False, True),
        (20, 2000, 1000, False, True),
    )
]
_COPIES = """
INSERT INTO outbox (queue, payload, headers)
SELECT queue, payload, headers FROM outbox, generate_series(2, :messages)
"""


async def fill(database: str, messages: int) -> None:
    """Publish one message by its own API, and copy its row."""
    metadata = MetaData()
    table = make_outbox_table(metadata)
    engine = create_async_engine(sqlalchemy_url(database, "asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    broker = OutboxBroker(engine, outbox_table=table, logger=None)
    async with AsyncSession(engine) as session, session.begin():
        await broker.publish(payload(0), queue=QUEUE, session=session)
    async with engine.begin() as connection:
        await connection.execute(text(_COPIES), {"messages": messages})
    async with engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE outbox"))
    await engine.dispose()


async def work(database: str, drain: Drain, settings: dict[str, Any]) -> None:
    """One subscriber, for ever."""
    types = settings.pop("apply_types")
    engine = create_async_engine(
        sqlalchemy_url(database, "asyncpg"), pool_size=settings["max_workers"] + 2, max_overflow=4
    )
    table = make_outbox_table(MetaData())
    broker = OutboxBroker(engine, outbox_table=table, logger=None, apply_types=types)

    @broker.subscriber(QUEUE, min_fetch_interval=0.001, max_fetch_interval=0.1, **settings)
    async def handle(body: dict[str, Any]) -> None:  # noqa: ARG001 - an empty handler
        drain.call()

    await broker.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    main(fill, work)
