"""The indexes of `migrate --search`: asked for, made beside what is there, and as often as one likes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql
import pytest

from outrider.bootstrap.migrations import make_search, migrate, search_sql
from outrider.bootstrap.settings import make
from outrider.runtime.mysql_url import server_of

COLUMNS = {("topic", "message_key", "id"), ("type", "id")}


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    found: str = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "mariadb_url")
    return found


def indexes(url: str) -> set[tuple[str, ...]]:
    """The columns of each index of the log."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            names = [row[1] for row in file.execute("PRAGMA index_list('orders_outbox_message')")]
            return {tuple(row[2] for row in file.execute(f"PRAGMA index_info('{name}')")) for name in names}
    if url.startswith("mariadb"):
        with closing(pymysql.connect(**server_of(url))) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM information_schema.statistics"
                " WHERE table_schema = DATABASE() AND table_name = 'orders_outbox_message' GROUP BY index_name"
            )
            return {tuple(row[0].split(",")) for row in cursor.fetchall()}
    query = (
        "SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_index AS i JOIN pg_attribute AS a"
        " ON a.attrelid = i.indexrelid WHERE i.indrelid = 'orders_outbox_message'::regclass AND i.indisvalid"
        " GROUP BY i.indexrelid"
    )
    with psycopg.connect(url) as opened:
        return {tuple(row[0]) for row in opened.execute(query)}


def test_search_indexes_are_made_on_request_alone(url: str) -> None:
    """Spec §5, OB-79: nobody who does not ask pays for them; asking again changes nothing."""
    settings = make({"service.name": "orders", "database.url": url})
    migrate(settings, "orders_")
    assert not indexes(url) & COLUMNS
    before = indexes(url)
    make_search(settings, "orders_")
    added = indexes(url) - before
    assert added >= COLUMNS
    assert added - COLUMNS == ({("created_at",)} if url.startswith("postgresql") else set())
    make_search(settings, "orders_")
    assert indexes(url) - before == added
    assert search_sql(settings, "orders_").count("CREATE INDEX") == len(added)
