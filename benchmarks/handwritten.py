"""The row of a message as one would write it by hand: the baseline of `add`."""

import json
import os
import time
from typing import Any, Final
from uuid import UUID
from zlib import crc32

from benchmarks.shop import KEYS, TABLE, TYPE, key, payload, topic

COLUMNS: Final = (
    "message_id", "type", "version", "topic", "message_key", "key_hash", "subject", "payload", "content_type", "max_retry",
)  # fmt: skip
KINDS: Final = ("uuid", "text", "int2", "text", "text", "int4", "text", "bytea", "text", "int2")
_INSERT: Final = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES "
INSERT_PSYCOPG: Final = _INSERT + f"({', '.join(['%s'] * len(COLUMNS))})"
INSERT_ASYNCPG: Final = _INSERT + f"({', '.join(f'${n + 1}' for n in range(len(COLUMNS)))})"
COPY_IN: Final = f"COPY {TABLE} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
BATCH: Final = 100

ORDER_PSYCOPG: Final = "INSERT INTO orders (account_id, total, note) VALUES (%s, %s, %s)"
ACCOUNT_PSYCOPG: Final = "UPDATE account SET balance = balance + %s WHERE id = %s"
ORDER_ASYNCPG: Final = "INSERT INTO orders (account_id, total, note) VALUES ($1, $2, $3)"
ACCOUNT_ASYNCPG: Final = "UPDATE account SET balance = balance + $1 WHERE id = $2"
TOTAL: Final = 1250
NOTE: Final = "as ordered"


def account(number: int) -> int:
    """The account that order `number` is for."""
    return number % KEYS


def row(namespace: str, number: int) -> tuple[Any, ...]:
    """The row of message `number`, as `add` writes it: a new id, the payload in JSON, the hash of the key."""
    text = key(number)
    body = json.dumps(payload(number), separators=(",", ":"), ensure_ascii=False).encode()
    hashed = crc32(text.encode()) & 0x7FFFFFFF
    return (new_id(), TYPE, 1, topic(namespace), text, hashed, text, body, "application/json", 20)


def new_id() -> UUID:
    """A UUIDv7, made in short: what a program without a library for it would do."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)
