"""The storage's own connections to MySQL or MariaDB: READ COMMITTED, in UTC, to the one writable primary.

Statements that lose a conflict (deadlock, lock wait, MariaDB's changed row) are tried again here, the whole transaction where
the server rolled it back; what is then read must be what was read before, since the steps have already gone on with it.
Source: spec/outbox.md OB-7, OB-16, hazards H10, H19, H20, H21.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import asyncmy

from outrider.core.backoff import OutageBackoff
from outrider.core.errors import AccessRefused, ConfigurationError, StorageUnavailable
from outrider.core.steps import Rows, Statement, Steps, run_async
from outrider.ports.clock import Clock
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.ports.wakeup import WakeupListener
from outrider.runtime.mysql_driver import Gathered, driver_calls
from outrider.runtime.mysql_url import server_of
from outrider.storages.mysql.errors import DRIVER_ERRORS, is_conflict, translated
from outrider.storages.mysql.log_writer import IDS_GIVEN

T = TypeVar("T")

CONNECT_SECONDS: Final = 5
TRIES_MAX: Final = 5
"""Of a conflict; each waits longer than the one before, at random."""
LOCK_SECONDS: Final = 2
"""A lock is asked for anew after that: who makes a subscription holds up all who add while it waits (OB-21)."""
WAIT_MAX_SECONDS: Final = 0.2
MARIADB_MINIMUM: Final = (10, 6)
MYSQL_MINIMUM: Final = (8, 0)

Connection = Any  # asyncmy.Connection: compiled, and untyped in what its cursors give
History = list[tuple[Statement, Rows]]


class MysqlSession:
    """One connection, as `ports.storage.StorageSession`."""

    def __init__(self, connection: Connection, texts: Texts, clock: Clock) -> None:
        self._connection = connection
        self._texts = texts
        self._clock = clock

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps`, each statement committed by itself."""
        return await run_async(steps, self._alone)

    async def transact(self, steps: Steps[T]) -> T:
        """Drive `steps` in a READ COMMITTED transaction, which is begun again after a conflict."""
        history: History = []

        async def execute(statement: Statement) -> Rows:
            rows = await self._again(statement, history)
            history.append((statement, rows))
            return rows

        with translated():
            await self._connection.begin()
            try:
                result = await run_async(steps, execute)
            except BaseException:
                await self._roll_back()
                raise
            await self._connection.commit()
        return result

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["MysqlTransaction"]:
        """Begin a READ COMMITTED transaction."""
        with translated():
            await self._connection.begin()
        try:
            yield MysqlTransaction(self._execute)
        except BaseException:
            await self._roll_back()
            raise
        with translated():
            await self._connection.commit()

    async def close(self) -> None:
        """Close the connection, without a word to a server that may be away."""
        self._connection.close()

    async def _alone(self, statement: Statement) -> Rows:
        query = self._texts.query(statement.name, "format")
        if query.then or statement.many is not None:

            def steps() -> Steps[Rows]:
                return (yield statement)

            return await self.transact(steps())
        with translated():
            return await self._again(statement, None)

    async def _again(self, statement: Statement, history: History | None) -> Rows:
        """Execute a statement until it meets no conflict. `history` is what its transaction has done, None without one."""
        backoff = OutageBackoff(WAIT_MAX_SECONDS)
        for left in reversed(range(TRIES_MAX)):
            try:
                return await self._execute(statement)
            except DRIVER_ERRORS as error:
                if not is_conflict(error) or not left:
                    raise
            await self._clock.sleep(backoff.next(self._clock.chance()))
            if history is not None:
                await self._replay(history)
        raise AssertionError("the last try raises")

    async def _replay(self, history: History) -> None:
        await self._connection.rollback()
        await self._connection.begin()
        for statement, rows in history:
            if list(await self._execute(statement)) != list(rows):
                raise StorageUnavailable("the database changed under a transaction that had to be begun again")

    async def _execute(self, statement: Statement) -> Rows:
        query = self._texts.query(statement.name, "format")
        gathered = Gathered(statement, self._texts)
        gives_id = statement.name in IDS_GIVEN
        async with self._connection.cursor() as cursor:
            for text, values in driver_calls(statement, query, self._texts):
                await cursor.execute(text, values)
                described = cursor.description
                columns = None if described is None else tuple([column[0] for column in described])
                made = cursor.lastrowid if gives_id else 0
                gathered.add(columns, () if columns is None else await cursor.fetchall(), made)
        return gathered.rows

    async def _roll_back(self) -> None:
        try:
            await self._connection.rollback()
        except (*DRIVER_ERRORS, OSError, EOFError):
            self._connection.close()  # the server rolls back what nobody holds any more


class MysqlTransaction:
    """An open transaction, as `ports.storage.StorageTransaction`."""

    def __init__(self, execute: Callable[[Statement], Any]) -> None:
        self._execute = execute

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps` in it."""
        with translated():
            return await run_async(steps, self._execute)


class MysqlStorage:
    """A MySQL or MariaDB database that holds a service's tables, as `ports.storage.Storage`.

    On MariaDB a session that does nothing in an open transaction for `idle_timeout_seconds` is ended by the server, or a
    stopped process would keep its lane locked beyond the lease (OB-35); MySQL has nothing of the kind.
    """

    dialect: Dialect = "mysql"

    def __init__(
        self,
        url: str,
        texts: Texts,
        *,
        listener: Callable[[], WakeupListener],
        clock: Clock,
        statement_timeout_seconds: float = 10.0,
        idle_timeout_seconds: float = 5.0,
    ) -> None:
        self._server = server_of(url)
        self._texts = texts
        self._listener = listener
        self._clock = clock
        self._statement_timeout = statement_timeout_seconds
        self._idle_timeout = idle_timeout_seconds
        self._let_in = False

    async def connect(self, *, plan_once: bool = False) -> MysqlSession:  # noqa: ARG002 - planned each time, and quickly
        """Open a connection to the primary."""
        connection = await self._open()
        with translated():
            try:
                await self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        return MysqlSession(connection, self._texts, self._clock)

    async def _open(self) -> Connection:
        """A password or certificate that was good once is waited for when it is refused later: it is being renewed."""
        try:
            with translated():
                opened = await asyncmy.connect(
                    **self._server, charset="utf8mb4", autocommit=True, connect_timeout=CONNECT_SECONDS
                )
        except AccessRefused as error:
            if self._let_in:
                raise StorageUnavailable(str(error)) from error
            raise
        self._let_in = True
        return opened

    async def listen(self) -> WakeupListener:
        """In-process hints only: other processes are found by polling."""
        return self._listener()

    async def close(self) -> None:
        """Nothing is kept open between sessions."""

    async def _prepare(self, connection: Connection) -> None:
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT VERSION(), @@GLOBAL.read_only, @@auto_increment_increment")
            version, read_only, increment = await cursor.fetchone()
            check_server(version, bool(read_only), increment)
            options = [
                "time_zone = '+00:00'",
                "sql_mode = 'STRICT_ALL_TABLES'",
                f"innodb_lock_wait_timeout = {LOCK_SECONDS}",
            ]
            if is_mariadb(version):
                options += [
                    f"max_statement_time = {self._statement_timeout}",
                    f"idle_transaction_timeout = {max(1, round(self._idle_timeout))}",
                ]
            else:
                options.append(f"max_execution_time = {round(self._statement_timeout * 1000)}")
            await cursor.execute(f"SET SESSION {', SESSION '.join(options)}")
            await cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


def is_mariadb(version: str) -> bool:
    """Whether `VERSION()` is MariaDB's."""
    return "mariadb" in version.lower()


def check_server(version: str, read_only: bool, increment: int) -> None:
    """Raise ConfigurationError, naming what is wrong, for a server that cannot hold a log (OB-7, OB-16)."""
    name, minimum = ("MariaDB", MARIADB_MINIMUM) if is_mariadb(version) else ("MySQL", MYSQL_MINIMUM)
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < minimum:
        raise ConfigurationError(f"{name} {version} is too old: at least {'.'.join(map(str, minimum))} is needed")
    if read_only:
        raise ConfigurationError("this server is read-only, a replica; outrider reads the primary only")
    if increment != 1:
        raise ConfigurationError(
            f"auto_increment_increment is {increment}: with more than one writable primary ids do not rise in the order in"
            " which they are given; outrider needs one primary and an increment of 1"
        )
