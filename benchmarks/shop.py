"""The application that is measured: orders and accounts, one type of message of 512 bytes, 10,000 keys."""

from typing import Final
from uuid import UUID

import psycopg

from outrider.core.catalog import Catalog
from outrider.core.identity import key_hash

TYPE: Final = "order.placed"
SERVICE: Final = "shop"
CONSUMER: Final = "billing"
PREFIX: Final = "shop_"
KEYS: Final = 10_000
PAYLOAD_BYTES: Final = 512
NOTE: Final = "x" * (PAYLOAD_BYTES - 80)
NIL: Final = UUID(int=0)
TABLE: Final = f"{PREFIX}outbox_message"

TABLES: Final = f"""
CREATE TABLE account (id integer PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id integer NOT NULL, total bigint NOT NULL, note text NOT NULL
);
CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, message_id text NOT NULL, body bytea NOT NULL);
INSERT INTO account SELECT n, 0 FROM generate_series(0, {KEYS - 1}) AS n;
"""

STORED: Final = (
    "id, message_id, type, version, topic, message_key, subject, payload, content_type, headers, deliver_at, max_retry,"
    " trace, correlation_id, causation_id, created_at"
)
"""The stored columns that a reader needs: what the relay reads, and what binary COPY out of them gives."""


def catalog(namespace: str) -> Catalog:
    """The services `shop`, which adds, and `billing`, which consumes."""
    made = Catalog(SERVICE, CONSUMER, namespace=namespace)
    made.declare(TYPE, owner=SERVICE, consumers=[CONSUMER])
    return made


def topic(namespace: str) -> str:
    """The topic of the service's messages."""
    return f"{namespace}.{SERVICE}.outbox"


def payload(number: int) -> dict[str, object]:
    """A payload whose shortest JSON has 512 bytes."""
    return {"account": key(number), "note": NOTE, "order_id": f"order-{number:010d}", "total": 1250}


def key(number: int) -> str:
    """The key of message `number`."""
    return f"account-{number % KEYS:05d}"


def fill(database: str, namespace: str, messages: int) -> None:
    """Put `messages` committed messages at the end of the log, made by the server, in transactions of 100,000."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE keys (n integer PRIMARY KEY, message_key text, key_hash integer)")
        with connection.cursor().copy("COPY keys FROM STDIN") as copy:
            for number in range(KEYS):
                copy.write_row((number, key(number), key_hash(key(number), NIL)))
        for first in range(0, messages, 100_000):
            connection.execute(_FILL, {"first": first, "last": min(messages, first + 100_000) - 1, "keys": KEYS,
                                       "type": TYPE, "topic": topic(namespace), "note": NOTE})  # fmt: skip
        connection.execute(f"VACUUM ANALYZE {TABLE}")


_FILL: Final = f"""
INSERT INTO {TABLE} (message_id, type, version, topic, message_key, key_hash, subject, payload, content_type, max_retry)
SELECT CAST(lpad(to_hex(CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)), 12, '0') || '7'
        || substr(md5(CAST(random() AS text)), 1, 3) || '8' || substr(md5(CAST(random() AS text)), 1, 15) AS uuid),
    %(type)s, 1, %(topic)s, keys.message_key, keys.key_hash, keys.message_key,
    convert_to('{{"account":"' || keys.message_key || '","note":"' || CAST(%(note)s AS text) || '","order_id":"order-'
        || lpad(CAST(number AS text), 10, '0') || '","total":1250}}', 'UTF8'),
    'application/json', 20
FROM generate_series(CAST(%(first)s AS bigint), CAST(%(last)s AS bigint)) AS number
JOIN keys ON keys.n = number %% %(keys)s
ORDER BY number
"""
