"""Who looks at notifications and changes them, given a site: the command line's way to the operations surface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from outrider.bootstrap.notifying import notifier_parts
from outrider.bootstrap.wiring import Site
from outrider.notification.operations.operations import NotificationOperations
from outrider.ports.telemetry import Telemetry
from outrider.runtime.sessions import SessionPool
from outrider.telemetry.fan_out import FanOut


@asynccontextmanager
async def operating(
    made: Site, *, actor: str, telemetry: Telemetry | None = None
) -> AsyncIterator[NotificationOperations]:
    """The operations of a site, whose tables are looked at first. Raises SchemaMismatch, ConfigurationError."""
    parts = notifier_parts(made, telemetry or FanOut())
    async with made.session():
        pass
    sessions = SessionPool(made.storage)
    try:
        yield parts.operations(sessions, actor)
    finally:
        await sessions.close()
