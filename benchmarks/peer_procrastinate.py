"""procrastinate draining to an empty task, as a process."""

from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector

from benchmarks.drain import Drain, main
from benchmarks.shop import payload

TASK = "orders"
CANDIDATES: list[dict[str, Any]] = [
    {"concurrency": concurrency, "delete_jobs": delete, "uvloop": loop}
    for concurrency, delete, loop in (
        (1, "never", False),
        (10, "never", True),
        (10, "always", True),
        (30, "always", True),
        (100, "always", True),
    )
]
FILL_CHUNK = 1000


def _app(database: str, connections: int) -> App:
    return App(connector=PsycopgConnector(conninfo=database, min_size=1, max_size=connections))


async def fill(database: str, messages: int) -> None:
    """Defer by its own API, in lists."""
    app = _app(database, 2)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()

        @app.task(name=TASK)
        async def handle(body: dict[str, Any]) -> None: ...

        for first in range(0, messages, FILL_CHUNK):
            numbers = range(first, min(messages, first + FILL_CHUNK))
            await handle.batch_defer_async(*({"body": payload(number)} for number in numbers))
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute("VACUUM ANALYZE")


async def work(database: str, drain: Drain, settings: dict[str, Any]) -> None:
    """One worker, for ever."""
    app = _app(database, settings["concurrency"] + 4)

    @app.task(name=TASK)
    async def handle(body: dict[str, Any]) -> None:  # noqa: ARG001 - an empty handler
        drain.call()

    async with app.open_async():
        await app.run_worker_async(
            concurrency=settings["concurrency"], delete_jobs=settings["delete_jobs"], install_signal_handlers=False,
            fetch_job_polling_interval=0.1,
        )  # fmt: skip


if __name__ == "__main__":
    main(fill, work)
