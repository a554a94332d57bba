"""Our side as it is shipped: tables by the migrations, default settings, and what the figures print of them."""

from datetime import timedelta
from typing import Any

from benchmarks.shop import PREFIX, SERVICE
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings, known_keys

PRINTED = ("relay.", "retry.max_retry", "wakeup.", "consumer.", "broker.transactional")


def settings(database: str, **changed: object) -> Settings:
    """The shipped defaults for this database; `changed` by dotted key with `__` for the dot."""
    return make(
        {"service.name": SERVICE, "database.url": database}
        | {name.replace("__", "."): value for name, value in changed.items()}
    )


def prepare_database(database: str) -> None:
    """Make the service's tables."""
    migrate(settings(database), PREFIX)


def defaults(**changed: object) -> dict[str, Any]:
    """The settings in force that a figure depends on, with durations in seconds."""
    found = {name: value for name, value in known_keys().items() if name.startswith(PRINTED)} | changed
    return {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in found.items()}
