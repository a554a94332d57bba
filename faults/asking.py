"""The application that asks for notifications: what it committed is known, and told in its transaction.

A tenth of its transactions is rolled back, and now and then one asks twice for the same.
"""

import random
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg

from outrider import Catalog, Message, Outbox
from outrider.bootstrap.notification_catalog import declare_notifications
from outrider.core.notification.request import REQUESTED

SERVICE = "planner"
TABLE = "CREATE TABLE asked (token text PRIMARY KEY)"
RECIPIENTS = 200
KIND = "important_urgent_task"
ROUTE = {"always": ["inbox", "feishu_app", "feishu_bot"], "first_of": []}
ROLLED_BACK = 0.1
TWICE = 0.05


def catalog() -> Catalog:
    """The application and the notifier."""
    made = Catalog(SERVICE)
    declare_notifications(made, [SERVICE])
    return made


def recipient(number: int) -> str:
    """The name of recipient `number`."""
    return f"person-{number % RECIPIENTS:03d}"


def request(token: str, number: int) -> Message:
    """What is asked for: its text, subject and correlation name the token. Urgent, so that no crowded minute moves it."""
    body: dict[str, Any] = {
        "recipient_id": recipient(number), "kind": KIND, "requested_at": datetime.now(UTC).isoformat(),
        "subject_type": "task", "subject_id": token, "correlation_id": token, "summary_text": f"task {token}",
        "target_url": "/tasks", "priority": "urgent", "route": ROUTE,
    }  # fmt: skip
    return Message(REQUESTED, body, key=recipient(number))


class Asking:
    """A thread that asks at a rate, until it is told to stop and has committed `messages` requests at least."""

    def __init__(self, database: str, rate: float, messages: int, seed: int) -> None:
        self._database, self._rate, self._messages = database, rate, messages
        self._chance = random.Random(seed)
        self._outbox = Outbox(catalog(), SERVICE)
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._run, name="asking")

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for what is missing, and end."""
        self._told.set()
        self._thread.join()

    def _run(self) -> None:
        committed = number = 0
        with psycopg.connect(self._database, autocommit=True) as connection:
            while committed < self._messages or not self._told.is_set():
                began = time.monotonic()
                committed += self._ask(connection, number)
                number += 1
                pause = 2 * self._chance.random() / self._rate - (time.monotonic() - began)
                if not self._told.is_set():
                    self._told.wait(max(0.0, pause))

    def _ask(self, connection: psycopg.Connection, number: int) -> bool:
        """One transaction; whether it committed."""
        token, fate = uuid.UUID(int=self._chance.getrandbits(128)).hex, self._chance.random()
        rolled_back = fate < ROLLED_BACK
        with connection.transaction(force_rollback=rolled_back):
            connection.execute("INSERT INTO asked VALUES (%s)", (token,))
            self._outbox.add(connection, request(token, number))
        if fate > 1 - TWICE:
            self._repeat(connection, token, number)
        return not rolled_back

    def _repeat(self, connection: psycopg.Connection, token: str, number: int) -> None:
        with connection.transaction():
            self._outbox.add(connection, request(token, number))


def asked(database: str) -> set[str]:
    """The tokens of committed requests."""
    with psycopg.connect(database) as connection:
        return {token for (token,) in connection.execute("SELECT token FROM asked").fetchall()}
