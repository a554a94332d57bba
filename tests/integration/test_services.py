"""The servers that every other test stands on: they keep what they acknowledged through SIGKILL, and leave nothing."""

import contextlib
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import psycopg
import pymysql
import pytest
from confluent_kafka import Consumer, Producer

from outrider.testing.services import KafkaServer, MariaDBServer, PostgresServer, ServerFailed
from outrider.testing.services.kafka import KAFKA_VERSION
from outrider.testing.services.processes import PORT_FIRST, PORT_LAST, alive, free_port, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own_postgres(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that a test may kill; asks for the session's first, which says when PostgreSQL is missing."""
    assert postgres_server.running
    with PostgresServer({"wal_level": "logical"}) as server:
        yield server


@pytest.fixture
def own_mariadb(mariadb_server: MariaDBServer) -> Iterator[MariaDBServer]:
    """The same for MariaDB."""
    assert mariadb_server.running
    with MariaDBServer({"sync_binlog": "1"}) as server:
        yield server


def rows(url: str) -> list[tuple[int, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT i FROM kept ORDER BY i").fetchall()


@pytest.mark.parametrize("how", ["kill", "immediate", "restart"])
def test_committed_rows_survive_the_end_of_postgres(own_postgres: PostgresServer, how: str) -> None:
    url, port = own_postgres.create_database("shop"), own_postgres.port
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (i int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    if how == "restart":
        own_postgres.restart()
    else:
        own_postgres.kill() if how == "kill" else own_postgres.stop(immediate=True)
        assert not own_postgres.running
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        own_postgres.start()
    assert (own_postgres.port, rows(url)) == (port, [(1,)])


def test_killed_postgres_leaves_no_backend(own_postgres: PostgresServer) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        backend = connection.info.backend_pid
        own_postgres.kill()
        assert not alive(backend)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_closed_postgres_leaves_no_data_and_no_shared_memory(own_postgres: PostgresServer) -> None:
    maps = Path(f"/proc/{own_postgres.pid}/maps").read_text()
    shared = {Path(name) for name in re.findall(r"/dev/shm/PostgreSQL\.\d+", maps)}  # noqa: S108 - where Linux has it
    assert shared
    assert all(part.exists() for part in shared)
    own_postgres.close()
    assert not any(part.exists() for part in shared)
    assert not own_postgres.folder.exists()


def test_postgres_is_durable_as_shipped_and_takes_settings(own_postgres: PostgresServer) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        shown = [
            connection.execute(f"SHOW {name}".encode()).fetchone()
            for name in ("fsync", "synchronous_commit", "wal_level")
        ]
    assert shown == [("on",), ("on",), ("logical",)]


def test_each_test_has_a_database_of_its_own(postgres_server: PostgresServer, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS i")
    other = postgres_server.create_database("copied", template=postgres_url.rpartition("/")[2])
    assert rows(other) == [(7,)]
    postgres_server.drop_database("copied")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(other)


def connected(server: MariaDBServer, database: str) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
    return pymysql.connect(
        host="127.0.0.1", port=server.port, user="root", database=database, autocommit=True, charset="utf8mb4"
    )


def shown(server: MariaDBServer, database: str, question: str) -> tuple[tuple[object, ...], ...]:
    with contextlib.closing(connected(server, database)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        return tuple(cursor.fetchall())


@pytest.mark.parametrize("how", ["kill", "restart"])
def test_committed_rows_survive_the_end_of_mariadb(own_mariadb: MariaDBServer, how: str) -> None:
    port, before = own_mariadb.port, own_mariadb.pid
    assert own_mariadb.create_database("shop") == f"mariadb://root@127.0.0.1:{port}/shop"
    shown(own_mariadb, "shop", "CREATE TABLE kept (i int)")
    shown(own_mariadb, "shop", "INSERT INTO kept VALUES (1)")
    if how == "restart":
        own_mariadb.restart()
    else:
        own_mariadb.kill()
        assert before is not None
        assert not alive(before)
        with pytest.raises(pymysql.OperationalError):
            connected(own_mariadb, "shop")
        own_mariadb.start()
    assert (own_mariadb.port, shown(own_mariadb, "shop", "SELECT i FROM kept")) == (port, ((1,),))


def test_mariadb_is_durable_as_shipped_takes_settings_and_leaves_nothing(own_mariadb: MariaDBServer) -> None:
    question = (
        "SELECT @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite, @@sync_binlog, @@auto_increment_increment"
    )
    assert shown(own_mariadb, "test", question) == ((1, 1, 1, 1),)
    own_mariadb.close()
    assert not own_mariadb.folder.exists()


def test_a_dropped_database_of_mariadb_ends_the_sessions_in_it(mariadb_server: MariaDBServer, mariadb_url: str) -> None:
    name = mariadb_url.rpartition("/")[2]
    with contextlib.closing(connected(mariadb_server, name)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (i int)")
        mariadb_server.drop_database(name)
        with pytest.raises(pymysql.OperationalError):
            cursor.execute("SELECT i FROM kept")
    with pytest.raises(pymysql.OperationalError):
        connected(mariadb_server, name)


def test_mariadb_that_cannot_start_says_why(mariadb_server: MariaDBServer) -> None:
    assert mariadb_server.running
    server = MariaDBServer({"no-such-setting": "1"})
    with pytest.raises(ServerFailed, match="no-such-setting"):
        server.start()
    server.close()
    assert not server.folder.exists()


def test_server_dies_with_the_process_that_started_it(postgres_server: PostgresServer) -> None:
    assert postgres_server.running
    program = textwrap.dedent("""
        import threading, time
        from outrider.testing.services import PostgresServer
        server = PostgresServer()
        starter = threading.Thread(target=server.start)  # the thread ends long before the process
        starter.start()
        starter.join()
        print(server.pid, server.folder, server.running, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid, folder, running = parent.stdout.readline().split()
        assert running == "True"
        parent.kill()
    assert wait_until(lambda: not alive(int(pid)), 10)
    subprocess.run(["rm", "-rf", folder], check=True)


def test_postgres_that_cannot_start_says_why(postgres_server: PostgresServer) -> None:
    assert postgres_server.running
    server = PostgresServer({"shared_buffers": "no number"})
    with pytest.raises(ServerFailed, match="shared_buffers"):
        server.start()
    server.close()
    assert not server.folder.exists()


def test_free_port_is_below_the_range_of_outgoing_connections() -> None:
    assert PORT_FIRST <= free_port() <= PORT_LAST
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if ephemeral.exists():
        assert int(ephemeral.read_text().split()[0]) > PORT_LAST


@pytest.mark.timeout(120)
def test_acknowledged_messages_survive_the_kill_of_kafka(kafka_server: KafkaServer) -> None:
    assert kafka_server.running
    with KafkaServer(partitions=2, quick=True) as server:
        server.create_topic("orders")
        produce(server, "orders", 10)
        before = server.pid
        server.kill()
        assert before is not None
        assert not alive(before)
        server.start()
        assert consume(server, "orders", 10) == sorted(str(number).encode() for number in range(10))


def test_topics_are_made_on_demand_with_their_partitions(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    one, two = kafka_topic(), kafka_topic(partitions=1, settings={"max.message.bytes": "2000"})
    assert one != two
    produce(kafka_server, two, 3)
    assert len(consume(kafka_server, two, 3)) == 3


def test_the_jars_fetched_are_the_jars_looked_for() -> None:
    pom = ET.parse(ROOT / "tools" / "kafka" / "pom.xml")  # noqa: S314 - our own file
    version = pom.findtext(".//{*}dependency/{*}version")
    assert version == KAFKA_VERSION
    assert f'KAFKA_VERSION = "{KAFKA_VERSION}"' in (ROOT / "run").read_text()
    assert os.access(ROOT / "run", os.X_OK)


def produce(server: KafkaServer, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": server.bootstrap_servers, "enable.idempotence": True, "log_level": 0})
    for number in range(count):
        producer.produce(topic, str(number).encode(), key=str(number).encode())
    assert producer.flush(20) == 0


def consume(server: KafkaServer, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            "bootstrap.servers": server.bootstrap_servers,
            "group.id": f"reader-of-{topic}",
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    got: list[bytes] = []
    while len(got) < count:
        for message in consumer.consume(count, timeout=1.0):
            value = message.value()
            assert isinstance(value, bytes)
            got.append(value)
    consumer.close()
    return sorted(got)
