"""Statements given to the driver itself, where it is psycopg: what SQLAlchemy does for each costs more than the statement.

Invariant: rows and errors are those that SQLAlchemy would give. Source: spec/scheduling.md §2; ST-46.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from sqlalchemy import Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, object]
Rows = Sequence[Sequence[Any]]
Change = Insert | Update | Delete
PSYCOPG: Final = "psycopg"


class Asking(Protocol):
    """One connection, as far as it is asked for rows, or has rows changed."""

    @property
    def connection(self) -> AsyncConnection:
        """For what is no query."""
        ...

    async def rows(self, query: Select[Any], values: Values) -> Rows:
        """What the query finds under these parameters."""
        ...

    async def changed(self, change: Change, values: Values | Sequence[Values]) -> int:
        """How many rows were changed, by these parameters or, where they are many, by each."""
        ...


class AlchemyAsking:
    """By SQLAlchemy."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def rows(self, query: Select[Any], values: Values) -> Rows:
        """What the query finds."""
        found: Rows = (await self.connection.execute(query, values)).all()
        return found

    async def changed(self, change: Change, values: Values | Sequence[Values]) -> int:
        """How many rows were changed."""
        return (await self.connection.execute(change, values)).rowcount


class PsycopgAsking(AlchemyAsking):
    """By the driver's connection, in the transaction that SQLAlchemy has begun."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:  # noqa: ANN401 - a psycopg connection
        super().__init__(connection)
        self._driver, self._dialect = driver, connection.dialect

    async def rows(self, query: Select[Any], values: Values) -> Rows:
        """What the query finds."""
        told = _told(query, self._dialect)
        with self._errors(told):
            cursor = await self._driver.execute(told.text, told.given(values))
            found: list[Sequence[Any]] = await cursor.fetchall()
        if not told.out:
            return found
        return [
            [value if out is None else out(value) for value, out in zip(row, told.out, strict=True)] for row in found
        ]

    async def changed(self, change: Change, values: Values | Sequence[Values]) -> int:
        """Many are sent together."""
        first = values if isinstance(values, Mapping) else values[0]
        told = _told(change, self._dialect, tuple(first) if change.is_insert else None)
        with self._errors(told):
            if isinstance(values, Mapping):
                return int((await self._driver.execute(told.text, told.given(values))).rowcount)
            async with self._driver.cursor() as cursor:
                await cursor.executemany(told.text, [told.given(each) for each in values])
                return int(cursor.rowcount)

    @contextmanager
    def _errors(self, told: "_Told") -> Iterator[None]:
        errors: Any = self._dialect.loaded_dbapi
        try:
            yield
        except ValueError as error:  # a value that its column's type does not take
            raise DBAPIError.instance(told.text, None, error, errors.Error) from error
        except errors.Error as error:
            lost = self._dialect.is_disconnect(error, self._driver, cursor=None)
            raise DBAPIError.instance(
                told.text, None, error, errors.Error, connection_invalidated=lost, dialect=self._dialect
            ) from error


async def asking_on(connection: AsyncConnection) -> Asking:
    """The quickest way to ask this connection."""
    if connection.dialect.driver != PSYCOPG:
        return AlchemyAsking(connection)
    return PsycopgAsking(connection, (await connection.get_raw_connection()).driver_connection)


@dataclass(frozen=True, slots=True)
class _Told:
    """A statement as the driver takes it: what becomes of parameters on their way in, of values on their way out."""

    text: str
    constants: Mapping[str, object]
    into: Sequence[tuple[str, Callable[[Any], Any]]]
    out: Sequence[Callable[[Any], Any] | None]

    def given(self, values: Values) -> dict[str, object]:
        """The parameters. Raises ValueError for a value that its column's type does not take."""
        made = {**self.constants, **values}
        for name, convert in self.into:
            made[name] = convert(made[name])
        return made


@cache
def _told(statement: Select[Any] | Change, dialect: Dialect, columns: tuple[str, ...] | None = None) -> _Told:
    """`columns` are those that an INSERT gives."""
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    binds: Mapping[str, Any] = compiled.binds
    into = [(name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds.items()]
    selected = statement.selected_columns if isinstance(statement, Select) else ()
    out = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in selected]
    return _Told(
        str(compiled),
        {name: bind.value for name, bind in binds.items() if not bind.required},
        [(name, convert) for name, convert in into if convert is not None],
        out if any(out) else (),
    )
