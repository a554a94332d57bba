"""A bare loop that writes the rows of in-app notifications, as a process: the same tables, the same transactions.

Arguments: `database`, `messages`, `batch`. Each request's rows are a receipt, a scope, a record that is `sent`, an item of
the list, and the message that tells of the end; each transaction moves a position besides.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from zlib import crc32

import psycopg

from benchmarks.handwritten import new_id
from benchmarks.notices import KIND, PUBLIC_URL, recipient
from outrider.core.notification.request import ENDED

RECEIPT: Final = "INSERT INTO notification_inbox_receipt (consumer_id, message_id, fingerprint) VALUES (1, %s, %s)"
SCOPE: Final = "INSERT INTO notification_dedupe (scope_hash, record_id, expires_at) VALUES (%s, %s, %s)"
RECORD: Final = """
    INSERT INTO notification_record (id, request_id, request_hash, channel, recipient_id, kind, subject_type, subject_id,
        scope_hash, requested_at, expires_at, priority, locale, route_json, target_url, summary_text, status, sent_at,
        ended_at, created_at, updated_at)
    VALUES (%s, %s, %s, 'inbox', %s, %s, 'task', %s, %s, %s, %s, 1, 'en', '{"always":["inbox"],"first_of":[]}', %s, %s,
        'sent', now(), now(), now(), now())
"""
POSITION: Final = "CREATE TABLE position (last_id bigint NOT NULL); INSERT INTO position VALUES (0)"
CURSOR: Final = "UPDATE position SET last_id = %s"
ITEM: Final = """
    INSERT INTO notification_inbox_item (id, record_id, generation, recipient_id, kind, title, body, action_url, priority,
        created_at)
    VALUES (%s, %s, 1, %s, %s, 'An important task has become urgent', %s, %s, 1, now())
"""
MESSAGE: Final = """
    INSERT INTO notification_outbox_message (message_id, type, version, topic, message_key, key_hash, subject, payload,
        content_type, max_retry)
    VALUES (%s, %s, 1, 'planner.notification.outbox', %s, %s, %s, %s, 'application/json', 20)
"""


def write(connection: psycopg.Connection, number: int) -> None:
    """One request's rows."""
    now, to = datetime.now(UTC), recipient(number)
    request_id, record_id, scope = new_id(), new_id(), sha256(f"task-{number}".encode()).digest()
    text, link = f"Task {number} is due at three o'clock", f"{PUBLIC_URL}/tasks/{number}"
    connection.execute(RECEIPT, (request_id, crc32(request_id.bytes) & 0x7FFFFFFF))
    connection.execute(SCOPE, (scope, record_id, now + timedelta(minutes=30)))
    connection.execute(
        RECORD,
        (record_id, request_id, sha256(text.encode()).digest(), to, KIND, f"task-{number}", scope, now,
         now + timedelta(days=1), f"/tasks/{number}", text),
    )  # fmt: skip
    connection.execute(ITEM, (new_id(), record_id, to, KIND, text, link))
    told = json.dumps({"record_id": str(record_id), "request_id": str(request_id), "recipient_id": to, "channel": "inbox",
                       "kind": KIND, "status": "sent", "attempts": 0, "generation": 1})  # fmt: skip
    connection.execute(MESSAGE, (new_id(), ENDED, to, crc32(to.encode()) & 0x7FFFFFFF, to, told.encode()))


def run(given: dict[str, Any]) -> float:
    """Requests a second."""
    messages, batch = given["messages"], given["batch"]
    with psycopg.connect(given["database"], autocommit=True) as connection:
        started = time.perf_counter()
        for first in range(0, messages, batch):
            with connection.transaction():
                for number in range(first, min(messages, first + batch)):
                    write(connection, number)
                connection.execute(CURSOR, (first,))
        return float(messages / (time.perf_counter() - started))


def main() -> None:
    """Run once, print the rate."""
    print(json.dumps({"rate": run(json.loads(sys.argv[1]))}), flush=True)


if __name__ == "__main__":
    main()
