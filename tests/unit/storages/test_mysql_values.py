"""Values between MySQL or MariaDB and core, and where its server is."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from outrider.core.errors import ConfigurationError
from outrider.runtime.mysql_url import server_of
from outrider.storages.mysql.schema import statements
from outrider.storages.mysql.values import MysqlQueries

ID = UUID("018f0000-0000-7000-8000-000000000001")
MOMENT = datetime(2026, 11, 22, 3, 4, 5, 123456, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def queries() -> MysqlQueries:
    texts = {
        "one": "SELECT :name FROM {outbox_message}",
        "two": "UPDATE {outbox_cursor} SET epoch = :epoch;\nSELECT 100 % :lanes, :epoch",
    }
    return MysqlQueries(texts, "shop_", "other")


def test_names_are_quoted_as_every_session_mode_understands(queries: MysqlQueries) -> None:
    """OB-33: double quotes are text unless ANSI_QUOTES is set."""
    assert queries.query("one", "pyformat").text == "SELECT %(name)s FROM `other`.`shop_outbox_message`"


def test_a_query_of_several_statements_gives_them_in_order(queries: MysqlQueries) -> None:
    first = queries.query("two", "format")
    (second,) = first.then
    assert (first.text, first.names) == ("UPDATE `other`.`shop_outbox_cursor` SET epoch = %s", ("epoch",))
    assert (second.text, second.names) == ("SELECT 100 %% %s, %s", ("lanes", "epoch"))


def test_values_are_bound_without_a_character_set_or_time_zone(queries: MysqlQueries) -> None:
    """OB-16: what is stored depends on neither the caller's character set nor its time zone (H21)."""
    given = {"name": "用户 ", "id": ID, "at": MOMENT, "delay": timedelta(seconds=1.5), "idle": True, "ids": [ID, 3]}
    assert queries.bind(given, queries.query("one", "pyformat")) == {
        "name": "用户 ".encode(),
        "id": ID.bytes,
        "at": datetime(2026, 11, 22, 1, 4, 5, 123456),  # noqa: DTZ001 - as the column holds it
        "delay": 1_500_000,
        "idle": 1,
        "ids": (ID.bytes, 3),
    }


def test_rows_come_back_as_core_values(queries: MysqlQueries) -> None:
    stored = MOMENT.astimezone(UTC).replace(tzinfo=None)
    rows = queries.decode(
        ("message_id", "created_at", "topic", "payload", "version"), [(ID.bytes, stored, b"t", b"p", 2)]
    )
    assert rows == [(ID, MOMENT.astimezone(UTC), "t", b"p", 2)]


def test_the_server_is_the_one_that_the_url_names() -> None:
    assert server_of("mysql://me:p%40ss@db:3307/shop?unix_socket=/run/s.sock") == {
        "host": "db",
        "port": 3307,
        "user": "me",
        "password": "p@ss",
        "database": "shop",
        "unix_socket": "/run/s.sock",
    }
    assert server_of("mariadb://db/shop")["port"] == 3306


@pytest.mark.parametrize("url", ["mysql://me@db", "mysql://me@db/", "mysql://me@db/shop?compress=1"])
def test_a_url_that_says_too_little_or_too_much_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        server_of(url)


def test_a_script_is_taken_apart_at_the_ends_of_lines() -> None:
    script = "-- one; two\nCREATE TABLE a (b TEXT DEFAULT ';');\n\nINSERT INTO a\nVALUES (1);\n"
    assert list(statements(script)) == ["CREATE TABLE a (b TEXT DEFAULT ';')", "INSERT INTO a\nVALUES (1)"]
