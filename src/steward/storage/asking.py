"""Queries asked of the driver itself, where it is psycopg: what SQLAlchemy does for each query costs more than the query.

Invariant: rows and errors are those that SQLAlchemy would give. Source: spec/scheduling.md §2; ST-46.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from sqlalchemy import Dialect, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

Values = Mapping[str, object]
Rows = Sequence[Sequence[Any]]
PSYCOPG: Final = "psycopg"


class Asking(Protocol):
    """One connection, as far as it is asked for rows."""

    @property
    def connection(self) -> AsyncConnection:
        """For what is no query."""
        ...

    async def rows(self, query: Select[Any], values: Values) -> Rows:
        """What the query finds under these parameters."""
        ...


class AlchemyAsking:
    """By SQLAlchemy."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def rows(self, query: Select[Any], values: Values) -> Rows:
        """What the query finds."""
        found: Rows = (await self.connection.execute(query, values)).all()
        return found


class PsycopgAsking(AlchemyAsking):
    """By the driver's connection, in the transaction that SQLAlchemy has begun."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:  # noqa: ANN401 - a psycopg connection
        super().__init__(connection)
        self._driver, self._dialect = driver, connection.dialect

    async def rows(self, query: Select[Any], values: Values) -> Rows:
        """What the query finds."""
        told = _told(query, self._dialect)
        if told is None:
            return await super().rows(query, values)
        given = {**told.constants, **values}
        errors: Any = self._dialect.loaded_dbapi
        try:
            given |= {name: convert(given[name]) for name, convert in told.into}
            cursor = await self._driver.execute(told.text, given)
            found: list[Sequence[Any]] = await cursor.fetchall()
        except ValueError as error:  # a value that its column's type does not take
            raise DBAPIError.instance(told.text, None, error, errors.Error) from error
        except errors.Error as error:
            lost = self._dialect.is_disconnect(error, self._driver, cursor=None)
            raise DBAPIError.instance(
                told.text, None, error, errors.Error, connection_invalidated=lost, dialect=self._dialect
            ) from error
        if not told.out:
            return found
        return [
            [value if out is None else out(value) for value, out in zip(row, told.out, strict=True)] for row in found
        ]


async def asking_on(connection: AsyncConnection) -> Asking:
    """The quickest way to ask this connection."""
    if connection.dialect.driver != PSYCOPG:
        return AlchemyAsking(connection)
    return PsycopgAsking(connection, (await connection.get_raw_connection()).driver_connection)


@dataclass(frozen=True, slots=True)
class _Told:
    """A query as the driver takes it: what parameters become on their way in, and values of each column on their way out."""

    text: str
    constants: Mapping[str, object]
    into: Sequence[tuple[str, Callable[[Any], Any]]]
    out: Sequence[Callable[[Any], Any] | None]


@cache
def _told(query: Select[Any], dialect: Dialect) -> _Told | None:
    """None for one whose text depends on its parameters: a list has one for each of its values."""
    compiled = query.compile(dialect=dialect)
    binds: Mapping[str, Any] = compiled.binds
    if any(bind.expanding for bind in binds.values()):
        return None
    into = [(name, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds.items()]
    out = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in query.selected_columns]
    return _Told(
        str(compiled),
        {name: bind.value for name, bind in binds.items() if not bind.required},
        [(name, convert) for name, convert in into if convert is not None],
        out if any(out) else (),
    )
