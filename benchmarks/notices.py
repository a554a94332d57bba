"""The application that asks for notifications, and what is common to both sides of the notifier's figures."""

from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from outrider import Catalog, Message, Outbox
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.notification_catalog import SERVICE, declare_notifications
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.core.notification.request import REQUESTED

PRODUCER: Final = "planner"
RECIPIENTS: Final = 1_000
CHUNK: Final = 500
KIND: Final = "important_urgent_task"
PUBLIC_URL: Final = "https://app.example"


def catalog() -> Catalog:
    """The application and the notifier."""
    made = Catalog(PRODUCER)
    declare_notifications(made, [PRODUCER])
    return made


def settings(database: str, service: str = SERVICE, **values: object) -> Settings:
    """The shipped defaults for this database; `values` by key with `__` for the dot."""
    said: dict[str, object] = {"service.name": service, "database.url": database, "broker.url": "log:"}
    if service == SERVICE:
        said["notification.public_base_url"] = PUBLIC_URL
    return make(said | {name.replace("__", "."): value for name, value in values.items()})


def prepare(database: str) -> None:
    """Make the tables of both services."""
    for service in (PRODUCER, SERVICE):
        migrate(settings(database, service), f"{service}_")


def body(number: int, channel: str = "inbox") -> dict[str, Any]:
    """A request as an application makes it, about a task of its own."""
    return {
        "recipient_id": recipient(number), "kind": KIND, "requested_at": datetime.now(UTC).isoformat(),
        "subject_type": "task", "subject_id": f"task-{number}", "summary_text": f"Task {number} is due at three o'clock",
        "target_url": f"/tasks/{number}", "route": {"always": [channel]},
    }  # fmt: skip


def recipient(number: int) -> str:
    """The name of recipient `number`."""
    return f"person-{number % RECIPIENTS:04d}"


def fill(database: str, messages: int) -> None:
    """Ask for so many, in committed transactions of some hundred."""
    outbox = Outbox(catalog(), PRODUCER)
    with psycopg.connect(database, autocommit=True) as connection:
        for first in range(0, messages, CHUNK):
            asked = [Message(REQUESTED, body(n), key=recipient(n)) for n in range(first, min(messages, first + CHUNK))]
            with connection.transaction():
                outbox.add(connection, *asked)
        connection.execute("VACUUM ANALYZE")
