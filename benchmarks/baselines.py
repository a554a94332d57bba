"""Bare loops that our reading is measured against."""

import sqlite3
import time

import psycopg

from benchmarks.shop import STORED, TABLE


def copy_out(database: str) -> float:
    """Rows a second of binary COPY out of the stored columns, a row's bytes at a time, not parsed."""
    rows = 0
    with psycopg.connect(database) as connection:
        started = time.perf_counter()
        with connection.cursor().copy(f"COPY {TABLE} ({STORED}) TO STDOUT (FORMAT binary)") as copy:
            for _ in copy:
                rows += 1
        return (rows - 1) / (time.perf_counter() - started)  # the last one is the trailer


def keyset_read(path: str, batch: int) -> float:
    """Rows a second of `id > ? ORDER BY id LIMIT n` over a SQLite log, the same columns, as the driver gives them."""
    connection = sqlite3.connect(path)
    query = f"SELECT {STORED} FROM {TABLE} WHERE id > ? ORDER BY id LIMIT ?"
    last = rows = 0
    started = time.perf_counter()
    while found := connection.execute(query, (last, batch)).fetchall():
        last = found[-1][0]
        rows += len(found)
    seconds = time.perf_counter() - started
    connection.close()
    return rows / seconds
