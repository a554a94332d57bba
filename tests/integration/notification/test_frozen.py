"""A process that is stopped in the midst of a transaction: others get what it had locked."""

import psycopg
import pytest

from outrider.core.errors import StorageUnavailable
from outrider.core.steps import Rows, Statement, Steps
from outrider.storages.postgres.queries import queries
from outrider.storages.postgres.storage import PostgresStorage
from outrider.testing.schema import create_tables

PREFIX = "notification_"
KEYS = tuple(bytes([number]) * 32 for number in range(4))


@pytest.mark.parametrize("several", [1, 2, 4])
async def test_a_stopped_process_loses_what_it_locked(postgres_url: str, several: int) -> None:
    """OB-35, NT-9: the server counts the idle time of its session after any statement, also one for several rows."""
    create_tables(postgres_url, PREFIX)
    places = [{"key": key, "channel": "webhook", "label": "https://hook.example"} for key in KEYS]
    storage = PostgresStorage(postgres_url, queries(PREFIX), channel="none", idle_timeout_seconds=0.2)
    stopped = await storage.connect()

    def ask(name: str, many: list[dict[str, object]]) -> Steps[Rows]:
        return (yield Statement(name, many=many))

    await stopped.transact(ask("insert_destination", [dict(place) for place in places]))

    async def stand_still() -> None:
        async with stopped.transaction() as transaction:
            assert (
                len(await transaction.run(ask("lock_destinations", [{"key": key} for key in KEYS[:several]])))
                == several
            )
            with psycopg.connect(postgres_url, autocommit=True) as other:  # nothing else runs in this loop meanwhile
                other.execute("SET lock_timeout = '10 s'")
                other.execute(f"UPDATE {PREFIX}destination SET reason = 'taken' WHERE key = %s", (KEYS[0],))

    with pytest.raises(StorageUnavailable):
        await stand_still()
    await stopped.close()
    with psycopg.connect(postgres_url) as looking:
        query = f"SELECT reason FROM {PREFIX}destination WHERE key = %s"
        assert looking.execute(query, (KEYS[0],)).fetchall() == [("taken",)]
