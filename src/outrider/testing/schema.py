"""Tables for a test, without settings or command line."""

import sqlite3
from pathlib import Path

from outrider.runtime.sql import fill_tables, read_sql


def create_tables(url: str, prefix: str) -> None:
    """Create one service's tables of the newest schema in an empty database: `postgresql://…` or `sqlite:///FILE`."""
    if url.startswith("sqlite:///"):
        script = fill_tables(read_sql("outrider.storages.sqlite", "migrations/0001_pre.sql"), prefix)
        connection = sqlite3.connect(Path(url.removeprefix("sqlite:///")))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(script)
        connection.close()
        return
    import psycopg  # noqa: PLC0415 - only where PostgreSQL is tested

    script = fill_tables(read_sql("outrider.storages.postgres", "migrations/0001_pre.sql"), prefix)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(script.encode())
