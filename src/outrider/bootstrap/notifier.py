"""The public `Notifier`: requests accepted in the caller's transaction, sent by a service that an application may run itself.

Source: spec/notification.md §1, NT-1, NT-53; spec/outbox.md OB-99.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from outrider.bootstrap.notification_catalog import SERVICE
from outrider.bootstrap.notifying import NotifierParts, Notifying, notifier_parts
from outrider.bootstrap.settings import NO_SETTINGS, make
from outrider.bootstrap.settings_notification import Http, Notification
from outrider.bootstrap.wiring import site
from outrider.core.catalog import Catalog
from outrider.core.errors import Undecodable
from outrider.core.events import TelemetryEvent
from outrider.core.identity import uuid7
from outrider.core.notification.request import NotificationRequest, as_json
from outrider.core.steps import Steps
from outrider.notification.answers import HandleResult, RecordStatus, read_status, result_of
from outrider.notification.notifier import SweepResult
from outrider.notification.operations.operations import NotificationOperations
from outrider.notification.operations.views import RecordView
from outrider.notification.request import read_request
from outrider.notification.store.accepting import accept
from outrider.notification.store.placing import Accepted
from outrider.notification.store.rows import read_clock
from outrider.ports.channel import Channel
from outrider.ports.telemetry import Telemetry
from outrider.runtime.sessions import SessionPool
from outrider.runtime.system_clock import SystemClock
from outrider.telemetry.fan_out import FanOut

RANDOM_BYTES = 10


class SiteNotifier(Notifying):
    """The notifier of a site."""

    def __init__(self, parts: NotifierParts, transactions: Any) -> None:  # noqa: ANN401  any library's
        super().__init__(parts, transactions)
        self._sessions = SessionPool(parts.made.storage)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closed = False
        """Whether nothing new is to begin here: streams end."""

    @property
    def service(self) -> str:
        """The service's name."""
        return self._parts.made.service

    @property
    def clock(self) -> SystemClock:
        """Time and chance."""
        return self._parts.made.clock

    @property
    def values(self) -> Notification:
        """The settings of notifications."""
        return self._parts.values

    @property
    def http(self) -> Http:
        """Those of the HTTP interface."""
        return self.values.http

    @property
    def poll(self) -> timedelta:
        """How often what others write is looked at."""
        return self.values.poll

    async def look(self) -> None:
        """Look whether the database answers. Raises StorageUnavailable."""
        await self._sessions.run(read_clock())

    def emit(self, event: TelemetryEvent) -> None:
        """Tell of something."""
        self._parts.telemetry.emit(event)

    def accept(
        self, tx: object, request: NotificationRequest | Mapping[str, Any], *, request_id: UUID | None = None
    ) -> list[HandleResult]:
        """Make the records of a request in the caller's transaction, by a synchronous library; calls no provider.

        `request` has the fields of a `notification.requested`; the same `request_id` again makes nothing (default: a new
        one). Raises Undecodable, whose `path` names the field that breaks its rule, NoTransaction.
        """
        return self._accepted(self._parts.run(tx, self._accepting(request, request_id), self.wake))

    async def accept_async(
        self, tx: object, request: NotificationRequest | Mapping[str, Any], *, request_id: UUID | None = None
    ) -> list[HandleResult]:
        """The same by an asynchronous library."""
        return self._accepted(await self._parts.run_async(tx, self._accepting(request, request_id), self.wake))

    def status(self, tx: object, request_id: UUID) -> list[RecordStatus]:
        """How far each record of a request is, as the caller's transaction sees it; no texts."""
        return self._parts.run(tx, read_status(request_id))

    async def status_async(self, tx: object, request_id: UUID) -> list[RecordStatus]:
        """The same by an asynchronous library."""
        return await self._parts.run_async(tx, read_status(request_id))

    async def get(self, record_id: UUID, *, texts: bool = False) -> RecordView:
        """A record with its attempts. Raises NotificationNotFound."""
        return await self.operations("notifier").records.get(record_id, texts=texts)

    async def sweep(self, limit: int | None = None) -> SweepResult:
        """Recover, reopen and try at most `limit` due records, now. Raises StorageUnavailable."""
        return await self._notifier.sweep(limit)

    async def attempt(self, record_id: UUID) -> HandleResult | None:
        """Try this very record now, if it is due and nobody's. None where there is none."""
        return await self._notifier.attempt(record_id)

    def operations(self, actor: str) -> NotificationOperations:
        """Everything that may be looked at and changed; `actor` is who is named in the audit table."""
        return self._parts.operations(self._sessions, actor)

    async def close(self) -> None:
        """End streams, and close connections that are open and not in use."""
        self.closed = True
        await self._sessions.close()

    def wake(self) -> None:
        """Something was accepted: look now, if this process sends. From any thread."""
        if self.ready and self._loop is not None:
            self._loop.call_soon_threadsafe(self._notifier.wake)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await super()._serve()

    def _accepting(
        self, request: NotificationRequest | Mapping[str, Any], request_id: UUID | None
    ) -> Steps[list[Accepted]]:
        desk, clock = self._parts.desk, self._parts.made.clock
        if not isinstance(request, NotificationRequest):
            if request_id is None:
                request_id = uuid7(clock.now_ms(), clock.random_bytes(RANDOM_BYTES))
            request = read_request(request, request_id, clock.now())
        elif request_id is not None:
            raise Undecodable("the request has an id of its own", path="request_id")
        else:
            read = read_request(as_json(request), request.request_id, clock.now())
            request = replace(read, permanent_scope=request.permanent_scope)
        prepared = desk.composer.prepare(request)
        return accept(desk.rules, prepared.request, fallback_used=prepared.fallback_used)

    def _accepted(self, found: list[Accepted]) -> list[HandleResult]:
        for one in found:
            self._parts.desk.telling.accepted(one)
        return [result_of(one.record, reused=one.reused) for one in found]


class Notifier(SiteNotifier):
    """Tells people what was asked for.

    Started, it is the service of `outrider notify run`: it accepts what comes as messages, and sends; without a start it
    accepts, tells how far a request is, and sweeps when it is asked to.

    `database` is a URL; `transactions` is what the consumer handles in (default: the same database); `channels` stand for
    those of the settings; `settings` are others by their names in `outrider.toml`. Raises ConfigurationError, CatalogError,
    MissingExtra.
    """

    def __init__(
        self,
        catalog: Catalog | None = None,
        *,
        database: str,
        transactions: Any = None,  # noqa: ANN401  any library's
        channels: Mapping[str, Channel] | None = None,
        telemetry: Telemetry | None = None,
        db_schema: str | None = None,
        settings: Mapping[str, object] = NO_SETTINGS,
    ) -> None:
        values = {**settings, "service.name": SERVICE, "database.url": database, "database.db_schema": db_schema}
        made = site(make({key: value for key, value in values.items() if value is not None}), catalog)
        parts = notifier_parts(made, telemetry or FanOut(), channels=channels)
        super().__init__(parts, database if transactions is None else transactions)
