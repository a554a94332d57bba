"""Steward's own connections, as Outrider's settings of the database say: TLS, pool, statement timeout.

Source: spec/scheduling.md ST-71.
"""

from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from outrider.bootstrap.begins import mysql_server
from outrider.bootstrap.registry import dialect_of, sqlite_path
from outrider.bootstrap.secured import database_url
from outrider.bootstrap.settings_model import Database
from steward.storage.engine import open_pool
from steward.storage.limits import Limits


def pool_of(database: Database) -> AsyncEngine:
    """Connections to the database of the settings; nothing is opened yet."""
    url, arguments = url_of(database)
    return open_pool(url, pool_size=database.pool_size, limits=limits_of(database), connect_args=arguments)


def limits_of(database: Database) -> Limits:
    """How long a transaction may wait."""
    return Limits(statement=database.statement_timeout)


def url_of(database: Database) -> tuple[URL, dict[str, Any]]:
    """The URL with the driver that Steward uses, and what the driver is told besides."""
    match dialect_of(database.url):
        case "sqlite":
            return URL.create("sqlite+aiosqlite", database=sqlite_path(database.url)), {}
        case "postgresql":
            told: dict[str, Any] = {} if database.prepared_statements else {"prepare_threshold": None}
            return make_url(database_url(database)).set(drivername="postgresql+psycopg"), told
    server = mysql_server(database)
    named = {name: server.pop(name) for name in ("host", "port", "database")}
    url = URL.create(
        f"{database.url.partition(':')[0]}+asyncmy",
        username=server.pop("user"),
        password=server.pop("password"),
        **named,
    )
    return url, server
