"""Rows and positions that a growth figure begins with."""

import time

import psycopg

from benchmarks.handwritten import INSERT_PSYCOPG, row
from benchmarks.shop import PREFIX, TABLE, TYPE

HOT = "hot"
PATIENCE_SECONDS = 60.0
_POSITION = f"{PREFIX}outbox_cursor"


def add_one(connection: psycopg.Connection, namespace: str, number: int = 0) -> None:
    """Insert one message by hand."""
    connection.execute(INSERT_PSYCOPG, row(namespace, number))


def await_passed(database: str, messages: int) -> None:
    """Wait until the relay has passed so many messages. TimeoutError where it does not come to that."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(database, autocommit=True) as connection:
        while time.monotonic() < deadline:
            found = connection.execute(f"SELECT sum(passed) FROM {_POSITION}").fetchone()
            if found is not None and (found[0] or 0) >= messages:
                return
            time.sleep(0.05)
    raise TimeoutError(f"the relay did not pass {messages} messages")


def park_hot_key(database: str, namespace: str, messages: int) -> int:
    """Put `messages` of one key into the log, a head that is due in an hour and the rest parked behind it.

    Gives the last log id of them.
    """
    with psycopg.connect(database, autocommit=True) as connection:
        add_one(connection, namespace)
        found = connection.execute(
            f"""
            WITH one AS (SELECT * FROM {TABLE} WHERE type = %s ORDER BY id LIMIT 1),
            added AS (
                INSERT INTO {TABLE} (message_id, type, version, topic, message_key, key_hash, subject, payload,
                    content_type, max_retry)
                SELECT gen_random_uuid(), type, version, topic, '{HOT}', 7, '{HOT}', payload, content_type, max_retry
                FROM one, generate_series(1, %s)
                RETURNING id, message_id, topic, max_retry
            ),
            subscribed AS (
                INSERT INTO {PREFIX}outbox_subscription (id, name, kind, broker, lanes)
                VALUES (1, 'relay', 'relay', 'memory', 1) RETURNING id
            ),
            parked AS (
                INSERT INTO {PREFIX}outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash,
                    status, cause, attempts, max_retry, next_retry_at, first_failed_at)
                SELECT subscribed.id, added.id, message_id, topic, '{HOT}', 7,
                    CASE WHEN added.id = first.id THEN 'retrying' ELSE 'parked' END,
                    CASE WHEN added.id = first.id THEN 'retry' ELSE 'key' END,
                    CASE WHEN added.id = first.id THEN 1 ELSE 0 END, max_retry,
                    CASE WHEN added.id = first.id THEN clock_timestamp() + interval '1 day' END,
                    CASE WHEN added.id = first.id THEN clock_timestamp() END
                FROM added, subscribed, (SELECT min(id) AS id FROM added) AS first
            )
            SELECT max(id) FROM added
            """,
            (TYPE, messages),
        ).fetchone()
        connection.execute(f"VACUUM ANALYZE {PREFIX}outbox_delivery")
    assert found is not None
    return int(found[0])


def rewind_to(database: str, last_id: int) -> None:
    """Put the relay to just behind `last_id`: all above it is pending, what is parked stays."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"DELETE FROM {PREFIX}outbox_advance")
        connection.execute(f"DELETE FROM {_POSITION}")
        connection.execute(
            f"""
            INSERT INTO {_POSITION} (subscription_id, lane, done, target, last_id, high_id, floor_id, cluster)
            SELECT 1, 0, '3:3:', '3:3:', 0, %s, %s, CAST(system_identifier AS text) FROM pg_control_system()
            """,
            (last_id, last_id),
        )
        connection.execute("CHECKPOINT")
