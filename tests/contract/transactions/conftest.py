"""A fresh database with the tables of service `orders`, and a caller of each kind on it."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from outrider.runtime.mysql_url import server_of
from outrider.testing.schema import create_tables
from tests.contract.transactions.callers import KINDS, PREFIX, Caller, name_of

Look = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(params=KINDS, ids=name_of)
def kind(request: pytest.FixtureRequest) -> type[Caller]:
    """The kind of caller."""
    found: type[Caller] = request.param
    if "mysqlclient" in found.kind:
        request.getfixturevalue("mysqlclient")
    return found


@pytest.fixture
def empty_url(kind: type[Caller], request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database that this kind can use."""
    if kind.database == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    url: str = request.getfixturevalue("mariadb_url" if kind.database == "mysql" else "postgres_url")
    return url


@pytest.fixture
def url(empty_url: str) -> str:
    """The same with the tables."""
    create_tables(empty_url, PREFIX)
    return empty_url


@pytest.fixture
async def caller(kind: type[Caller], url: str) -> AsyncIterator[Caller]:
    """A caller in an open transaction."""
    made = kind(url)
    await made.begin()
    yield made
    await made.close()


@pytest.fixture
async def second(kind: type[Caller], url: str) -> AsyncIterator[Caller]:
    """Another caller of the same kind on the same database, which has not begun."""
    made = kind(url)
    yield made
    await made.close()


@pytest.fixture
def look(url: str) -> Look:
    """What is committed: run a query on a connection of its own."""

    def run(query: str) -> list[tuple[Any, ...]]:
        if url.startswith("sqlite"):
            connection = sqlite3.connect(url.removeprefix("sqlite:///"))
            try:
                return list(connection.execute(query).fetchall())
            finally:
                connection.close()
        if url.startswith("mariadb"):
            with closing(pymysql.connect(**server_of(url))) as session, session.cursor() as cursor:
                cursor.execute(query)
                return [tuple(map(words, row)) for row in cursor.fetchall()]
        with psycopg.connect(url) as other:
            return other.execute(query.encode()).fetchall()

    return run


def words(value: Any) -> Any:  # noqa: ANN401 - of any column
    """What lies in a VARBINARY column, as text."""
    return value.decode() if isinstance(value, bytes) else value
