"""A process that stands in the midst of a handler's transaction: `python -m … URL IDLE_SECONDS`, `ready` when it is there.

It holds what a statement for several rows has locked, over a connection that Outrider made from the URL.
"""

import asyncio
import sys

from outrider.bootstrap.begins import begins_of
from outrider.bootstrap.settings_model import Database
from outrider.core.steps import Statement
from outrider.ports.statements import Texts
from outrider.storages.mysql.queries import queries as mysql_queries
from outrider.storages.postgres.queries import queries as postgres_queries

PREFIX = "notification_"
KEYS = tuple(bytes([number]) * 32 for number in range(3))
INSERT = Statement(
    "insert_destination", many=[{"key": key, "channel": "webhook", "label": "https://hook.example"} for key in KEYS]
)


def texts_of(url: str) -> Texts:
    """The statements on this database."""
    return postgres_queries(PREFIX) if url.startswith("postgresql") else mysql_queries(PREFIX)


async def stand(url: str, idle_seconds: float, *, asynchronous: bool) -> None:
    """Lock, say so, and stand until told."""
    begins = begins_of(url, prefer_async=asynchronous, database=Database(url=url), idle_seconds=idle_seconds)
    await begins.open()
    if asynchronous:
        async with begins.async_face.begin() as tx:
            await tx.execute(INSERT, texts_of(url))
            _wait()
    else:
        with begins.sync_face.begin() as held:
            held.execute(INSERT, texts_of(url))
            _wait()


def _wait() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(stand(sys.argv[1], float(sys.argv[2]), asynchronous=sys.argv[3] == "async"))
