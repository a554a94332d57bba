"""The storage's own connections to PostgreSQL.

No connection state is relied upon (it works behind a transaction pooler with prepared statements off); only a primary is
used. Source: spec/outbox.md OB-7, OB-16, hazards H14 and H35.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, TypeVar

from psycopg import AsyncConnection
from psycopg.adapt import Transformer
from psycopg.rows import TupleRow, tuple_row

from outrider.core.errors import AccessRefused, ConfigurationError, StorageUnavailable
from outrider.core.steps import Rows, Statement, Steps, run_async
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.runtime.sql import columns_of
from outrider.storages.postgres.connection import StreamingConnection
from outrider.storages.postgres.errors import translated
from outrider.storages.postgres.listen import PostgresListener
from outrider.storages.postgres.rows import LazyRows

T = TypeVar("T")

PREPARE_AFTER = 5
"""How often a connection is given a statement until it prepares it."""
PLAN_ONCE = " -c plan_cache_mode=force_generic_plan"

Connection = AsyncConnection[TupleRow]


class PostgresSession:
    """One connection, as `ports.storage.StorageSession`."""

    def __init__(self, connection: Connection, texts: Texts) -> None:
        self._connection = connection
        self._texts = texts

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps`, each statement committed by itself."""
        return await run_async(steps, self._execute)

    async def transact(self, steps: Steps[T]) -> T:
        """Drive `steps` in a READ COMMITTED transaction."""
        async with self.transaction() as tx:
            return await tx.run(steps)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["PostgresSession"]:
        """Begin a READ COMMITTED transaction; this same session drives steps in it."""
        with translated():
            async with self._connection.transaction():
                yield self

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _execute(self, statement: Statement) -> Rows:
        query = self._texts.query(statement.name, "pyformat")
        with translated():
            if statement.many is None:
                return await self._execute_one(query.raw, statement.params)
            if query.together and len(statement.many) > 1:
                return await self._execute_one(query.together, columns_of(statement.many))
            return await self._execute_many(query.raw, statement.many) if statement.many else ()

    async def _execute_one(self, query: bytes, params: Mapping[str, Any]) -> Rows:
        cursor = self._connection.cursor(binary=True)
        await cursor.execute(query, params)
        return LazyRows(cursor.pgresult, Transformer(self._connection)) if cursor.pgresult else ()

    async def _execute_many(self, query: bytes, many: Sequence[Mapping[str, Any]]) -> Rows:
        """Execute for one after the other, all but the last in a pipeline.

        A process that is stopped in the midst must lose its session (OB-35), and the server counts its idle time only
        from a Sync that nothing follows. `executemany` waits for the answers before it sends one, and a pipeline ends
        with a Flush behind it; a statement by itself ends as it should.
        """
        cursors = [self._connection.cursor(binary=True) for _ in many]
        *first, last = range(len(many))
        async with self._connection.pipeline() if len(first) > 1 else nullcontext():
            for number in first:
                await cursors[number].execute(query, many[number], prepare=True)
        await cursors[last].execute(query, many[last], prepare=True)
        results = [cursor.pgresult for cursor in cursors if cursor.pgresult]
        if len(results) == 1:
            return LazyRows(results[0], Transformer(self._connection))
        rows: list[TupleRow] = []
        for result in results:
            rows.extend(LazyRows(result, Transformer(self._connection)))
        return rows


class PostgresStorage:
    """A PostgreSQL database that holds a service's tables, as `ports.storage.Storage`.

    A session that does nothing in an open transaction for `idle_timeout_seconds` is ended by the server: a process that was
    stopped there would keep its lane locked beyond the lease, and others pass over what is locked (OB-35). A password or
    certificate that was good once is waited for when it is refused later: it is being renewed.
    """

    dialect: Dialect = "postgresql"

    def __init__(
        self,
        url: str,
        texts: Texts,
        *,
        channel: str,
        statement_timeout_seconds: float = 10.0,
        idle_timeout_seconds: float = 5.0,
        prepared_statements: bool = True,
    ) -> None:
        self._url = url
        self._prepare_threshold = PREPARE_AFTER if prepared_statements else None
        self._texts = texts
        self._channel = channel
        self._let_in = False
        self._options = (
            f"-c statement_timeout={int(statement_timeout_seconds * 1000)} -c TimeZone=UTC -c DateStyle=ISO"
            f" -c idle_in_transaction_session_timeout={int(idle_timeout_seconds * 1000)}"
            " -c default_transaction_isolation=read\\ committed -c jit=off -c max_parallel_workers_per_gather=0"
        )

    async def connect(self, *, plan_once: bool = False) -> PostgresSession:
        """Open a connection to the primary. `plan_once`: a generic plan for each statement, whatever its parameters.

        Planning a tick anew took four times as long as running it. What operators ask for, with filters that are mostly
        NULL, is better planned with its parameters.
        """
        connection = await self._open(self._options + PLAN_ONCE if plan_once else self._options)
        async with _closed_on_failure(connection):
            with translated():
                (in_recovery,) = (await (await connection.execute("SELECT pg_is_in_recovery()")).fetchone()) or (True,)
            if in_recovery:
                raise ConfigurationError("this server is a replica; outrider reads the primary only")
        return PostgresSession(connection, self._texts)

    async def listen(self) -> PostgresListener:
        """Listen on the service's channel, on a connection of its own."""
        connection = await self._open(self._options)
        async with _closed_on_failure(connection):
            with translated():
                return await PostgresListener.start(connection, self._channel)

    async def close(self) -> None:
        """Nothing is kept open between sessions."""

    async def _open(self, options: str) -> Connection:
        try:
            with translated():
                connection = await StreamingConnection.connect(
                    self._url, autocommit=True, options=options, row_factory=tuple_row, application_name="outrider",
                    connect_timeout=5, keepalives_idle=10, keepalives_interval=5, keepalives_count=3,
                    prepare_threshold=self._prepare_threshold,
                )  # fmt: skip
        except AccessRefused as error:
            if self._let_in:
                raise StorageUnavailable(str(error)) from error
            raise
        self._let_in = True
        return connection


@asynccontextmanager
async def _closed_on_failure(connection: Connection) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await connection.close()
        raise
