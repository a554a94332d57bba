"""`outrider bench` on real servers: it measures, and leaves nothing behind."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql
import pytest
from confluent_kafka.admin import AdminClient

from outrider import Catalog
from outrider.bootstrap.operations import Operations
from outrider.core.errors import BrokerUnavailable, OutriderError
from outrider.runtime.mysql_url import server_of
from outrider.testing.services import KafkaServer


def verbs(url: str, broker: str) -> Operations:
    catalog = Catalog("orders")
    return Operations(catalog, "orders", database=url, actor="ann", settings={"broker.url": broker})


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [
            str(row[0]) for row in connection.execute("SELECT relname FROM pg_class WHERE relname LIKE 'outrider_%'")
        ]


def mariadb_tables(url: str) -> list[str]:
    with closing(pymysql.connect(**server_of(url))) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW TABLES")
        return [str(row[0]) for row in cursor.fetchall()]


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def topics(server: KafkaServer) -> list[str]:
    return list(AdminClient({"bootstrap.servers": server.bootstrap_servers}).list_topics(timeout=10).topics)


async def test_postgresql_and_kafka_are_measured_and_left_as_they_were(
    postgres_url: str, kafka_server: KafkaServer
) -> None:
    """OB-79: every figure, no table and no topic of it afterwards; it needs no tables of the service."""
    told: list[tuple[int, int]] = []
    found = await verbs(postgres_url, f"kafka://{kafka_server.bootstrap_servers}").bench(
        messages=1_500, slice_seconds=0.05, tell=lambda done, of: told.append((done, of))
    )
    assert "PostgreSQL" in found.database
    assert min(found.commits, found.commits_with_add, found.added_together, found.read) > 0
    assert found.produced is not None
    assert found.relayed is not None
    assert min(found.produced, found.relayed) > 0
    assert found.left_behind == []
    assert tables(postgres_url) == []
    assert not [name for name in topics(kafka_server) if "bench" in name]
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


async def test_sqlite_is_measured_in_a_file_beside(tmp_path: Path) -> None:
    """OB-79: the user's file does not grow, and none is left beside it; without a broker reading is the last figure."""
    path = tmp_path / "shop.db"
    sqlite3.connect(path).close()
    found = await verbs(f"sqlite:///{path}", "log:").bench(messages=1_000, slice_seconds=0.02)
    assert found.read > 0
    assert (found.produced, found.relayed) == (None, None)
    assert sizes(tmp_path) == {"shop.db": 0}


async def test_an_error_in_between_leaves_nothing_behind(postgres_url: str) -> None:
    """OB-79: the tables are dropped where the broker does not answer, too."""
    with pytest.raises(OutriderError) as caught:
        await verbs(postgres_url, "kafka://127.0.0.1:9").bench(messages=1_000, slice_seconds=0.02)
    assert isinstance(caught.value, BrokerUnavailable)
    assert tables(postgres_url) == []


async def test_mariadb_and_kafka_are_measured_and_left_as_they_were(
    mariadb_url: str, kafka_server: KafkaServer
) -> None:
    """OB-79: the log is read to its end by its side rows, and the relay publishes all of it again by its own."""
    found = await verbs(mariadb_url, f"kafka://{kafka_server.bootstrap_servers}").bench(
        messages=1_500, slice_seconds=0.05
    )
    assert "MariaDB" in found.database or "MySQL" in found.database
    assert min(found.commits, found.commits_with_add, found.added_together, found.read) > 0
    assert found.produced is not None
    assert found.relayed is not None
    assert min(found.produced, found.relayed) > 0
    assert found.left_behind == []
    assert mariadb_tables(mariadb_url) == []
    assert not [name for name in topics(kafka_server) if "bench" in name]
