"""The same log in a SQLite file."""

import sqlite3
from pathlib import Path

from benchmarks.handwritten import COLUMNS, row
from benchmarks.ours import prepare_database
from benchmarks.shop import PREFIX, TABLE

CREATED_US = 1_770_000_000_000_000
MOVING = ("outbox_delivery", "outbox_advance", "outbox_cursor", "outbox_subscription")


def fill(folder: Path, namespace: str, messages: int) -> Path:
    """Make a database with `messages` committed messages; its file."""
    path = folder / "shop.db"
    prepare_database(url(path))
    connection = sqlite3.connect(path)
    marks = ", ".join("?" * (len(COLUMNS) + 1))
    insert = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}, created_at) VALUES ({marks})"

    def values(number: int) -> tuple[object, ...]:
        message_id, *others = row(namespace, number)
        return (message_id.bytes, *others, CREATED_US + number)

    with connection:
        connection.executemany(insert, map(values, range(messages)))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def rewind(path: Path) -> None:
    """Put the relay back to the log's beginning, as if never started."""
    connection = sqlite3.connect(path)
    with connection:
        for table in MOVING:
            connection.execute(f"DELETE FROM {PREFIX}{table}")
    connection.close()
