"""The same application on MariaDB: its tables, its log filled in bulk, and its relay put back to the beginning."""

from contextlib import closing
from typing import Any, Final

import pymysql

from benchmarks.handwritten import COLUMNS, row
from benchmarks.shop import KEYS, PREFIX, TABLE
from outrider.runtime.mysql_url import server_of
from outrider.testing.schema import create_tables

ROWS: Final = 2_000
SUBSCRIPTION: Final = 1
MOVING: Final = (
    "outbox_pending", "outbox_delivery", "outbox_advance", "outbox_cursor", "outbox_subscription", "inbox_receipt",
)  # fmt: skip
_TOLD: Final = "total BIGINT NOT NULL, note TEXT NOT NULL"
TABLES: Final = (
    "CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
    f"CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, account_id INT NOT NULL, {_TOLD})",
    f"INSERT INTO account SELECT seq, 0 FROM seq_0_to_{KEYS - 1}",
)
_MARKS: Final = f"({', '.join(['%s'] * len(COLUMNS))}, UTC_TIMESTAMP(6))"
INSERT: Final = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}, created_at) VALUES {_MARKS}"
"""The row of a message, written by hand."""


def connect(database: str, **options: Any) -> Any:  # noqa: ANN401 - a Connection, generic in its cursor's class
    """A PyMySQL connection as an application has it."""
    return pymysql.connect(**server_of(database), charset="utf8mb4", **options)


def prepare(database: str, *, subscribed: bool) -> None:
    """Make the application's and the service's tables; `subscribed`: with a relay that adds write a pending row for."""
    create_tables(database, PREFIX)
    with closing(connect(database, autocommit=True)) as connection, connection.cursor() as cursor:
        for statement in TABLES:
            cursor.execute(statement)
        if subscribed:
            cursor.execute(
                f"INSERT INTO {PREFIX}outbox_subscription (id, name, kind, broker, lanes) VALUES (%s, %s, %s, %s, 1)",
                (SUBSCRIPTION, "relay", "relay", "memory"),
            )


def bare_row(namespace: str, number: int) -> tuple[Any, ...]:
    """The row of message `number`, as the driver takes it."""
    message_id, *others = row(namespace, number)
    return (message_id.bytes, *others)


def fill(database: str, namespace: str, messages: int) -> None:
    """Put `messages` committed messages into the log, in transactions of 2,000; none is pending for anybody yet."""
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        for first in range(0, messages, ROWS):
            last = min(messages, first + ROWS)
            cursor.executemany(INSERT, [bare_row(namespace, number) for number in range(first, last)])
            connection.commit()
        cursor.execute(f"ANALYZE TABLE {TABLE}")


def rewind(database: str) -> None:
    """Put the relay back to before it was first started: then it fills in what is pending before it reads."""
    with closing(connect(database, autocommit=True)) as connection, connection.cursor() as cursor:
        for table in MOVING:
            cursor.execute(f"TRUNCATE TABLE {PREFIX}{table}")
