"""A consumer that is stopped in the midst of a handler's transaction: others get what it had locked."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from signal import SIGSTOP

import psycopg
import pymysql
import pytest

from outrider.runtime.mysql_url import server_of
from outrider.testing.schema import create_tables
from outrider.transactions.psycopg.own import session_options
from tests.integration.consumer.frozen_process import KEYS, PREFIX

IDLE_SECONDS = 1.0


@contextmanager
def frozen(url: str, face: str) -> Iterator[None]:
    """A process that holds its locks and was stopped."""
    module = "tests.integration.consumer.frozen_process"
    command = [sys.executable, "-m", module, url, str(IDLE_SECONDS), face]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(SIGSTOP)
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("face", ["sync", "async"])
def test_a_stopped_consumer_keeps_no_lock_on_postgresql(postgres_url: str, face: str) -> None:
    """OB-35, OB-68: the server ends its session when no handler can be at work in it any more."""
    create_tables(postgres_url, PREFIX)
    with frozen(postgres_url, face), psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SET lock_timeout = '30 s'")
        _take(other.cursor(), f"INSERT INTO {PREFIX}destination (key, channel, label) VALUES (%s, 'webhook', 'mine')")


@pytest.mark.parametrize("face", ["sync", "async"])
def test_a_stopped_consumer_keeps_no_lock_on_mariadb(mariadb_url: str, face: str) -> None:
    """OB-35, OB-68: the same there."""
    create_tables(mariadb_url, PREFIX)
    with frozen(mariadb_url, face), closing(pymysql.connect(**server_of(mariadb_url), autocommit=True)) as other:
        _take(other.cursor(), f"INSERT INTO {PREFIX}destination (`key`, channel, label) VALUES (%s, 'webhook', 'mine')")


def _take(cursor: psycopg.Cursor[tuple[object, ...]] | pymysql.cursors.Cursor, insert: str) -> None:
    """What the stopped process holds is somebody else's now."""
    cursor.execute(insert, (KEYS[-1],))
    assert cursor.rowcount == 1


def test_what_a_url_says_itself_stands() -> None:
    """OB-82: its options are kept, and its own limit."""
    url = "postgresql://db/shop?options=-c%20search_path%3Dshop"
    assert session_options(url, 35) == "-c search_path=shop -c idle_in_transaction_session_timeout=35000"
    assert session_options("postgresql://db/shop", 0.5) == "-c idle_in_transaction_session_timeout=500"
    own = "-c idle_in_transaction_session_timeout=7"
    assert session_options(f"host=db options='{own}'", 35) == own
