"""A consumer's parts, put together once its row is known."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from inspect import iscoroutinefunction
from typing import Any

from outrider.bootstrap.begins import Begins
from outrider.bootstrap.consumer_broker import subscriber_of
from outrider.bootstrap.consumer_source import log_sessions, log_source
from outrider.bootstrap.outbox import outbox_parts
from outrider.bootstrap.pruning import retention
from outrider.bootstrap.relay import retry_policy
from outrider.bootstrap.resolver import async_resolver, sync_resolver
from outrider.bootstrap.retention import compare_sources
from outrider.bootstrap.tracing import tracer_of
from outrider.bootstrap.wiring import Site
from outrider.codecs.reading import event_reader
from outrider.consumer.attempt import Facts
from outrider.consumer.breakers import Breakers
from outrider.consumer.broker_places import BrokerPlaces
from outrider.consumer.broker_source import BrokerSource
from outrider.consumer.config import ConsumerConfig
from outrider.consumer.consumer import Consumer
from outrider.consumer.inbox_rows import InboxRows
from outrider.consumer.log_source import LogSource
from outrider.consumer.perform import AsyncPerformer, HandlerSpans, Performer, ThreadPerformer
from outrider.consumer.relay_dead import RelayDead
from outrider.consumer.round import Parts
from outrider.consumer.router import Middleware, Registration, Router, make_router
from outrider.consumer.source import Source
from outrider.consumer.tell import Teller
from outrider.core.adding import Added
from outrider.core.catalog import Catalog
from outrider.core.envelope import Envelope
from outrider.core.inbox import InboxConsumer
from outrider.core.prune import check_receipts
from outrider.core.record import Ambient
from outrider.core.routing import Route
from outrider.core.subscriptions import Start
from outrider.outbox.async_outbox import AsyncOutbox
from outrider.outbox.outbox import Outbox
from outrider.outbox.parts import OutboxParts
from outrider.ports.broker import Subscriber
from outrider.ports.telemetry import Telemetry
from outrider.runtime.sessions import Sessions
from outrider.runtime.supervisor import Supervisor, first_error
from outrider.runtime.threads import Threads

IN_PLACE_DELAYS = (0.05, 0.25, 1.0)
"""Seconds before each try in place; the last repeats where more are set."""


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """What an application says of its consumer; None means the setting."""

    name: str
    catalog: Catalog
    transactions: Any
    start: Start | None
    service: str | None
    batch_size: int | None
    concurrency: int | None
    ignore: tuple[str, ...]
    middleware: tuple[Middleware, ...]
    identity: Mapping[str, str]


class BoundOutbox:
    """The outbox of the consumer's service, bound to a handler's transaction; what it adds names its cause."""

    def __init__(self, outbox: Outbox, tx: object) -> None:
        self._outbox = outbox
        self._tx = tx

    def add(self, *messages: object) -> tuple[Added, ...]:
        """Add `messages`; they commit with the handler's effect and receipt. As `Outbox.add`."""
        return self._outbox.add(self._tx, *messages)


class AsyncBoundOutbox:
    """The same for an asynchronous handler."""

    def __init__(self, outbox: AsyncOutbox, tx: object) -> None:
        self._outbox = outbox
        self._tx = tx

    async def add(self, *messages: object) -> tuple[Added, ...]:
        """Add `messages`; they commit with the handler's effect and receipt. As `AsyncOutbox.add`."""
        return await self._outbox.add(self._tx, *messages)


class WorkingConsumer(Consumer):
    """A consumer service with what was opened for it, and what is compared beside its start."""

    begins: Begins
    compare: Callable[[], Coroutine[Any, Any, None]]

    async def _serve(self) -> None:
        await self.begins.open()
        failed: BaseException | None = None
        try:
            async with Supervisor() as group:
                comparing = group.start(self.compare(), "retention")
                await super()._serve()
                comparing.cancel()
        except BaseExceptionGroup as errors:
            failed = first_error(errors)
        finally:
            await self.begins.close()
        if failed is not None:
            raise failed


@dataclass(frozen=True, slots=True)
class ConsumerBuild:
    """All that a consumer is made of before it starts."""

    site: Site
    options: ConsumerOptions
    registrations: tuple[Registration, ...]
    begins: Begins
    telemetry: Telemetry
    subscriber: Subscriber | None

    def service(self) -> WorkingConsumer:
        """The service. Raises CatalogError naming every fault of the handlers, RetentionTooShort."""
        check_receipts(retention(self.site))
        router, config = self._router(), self._config()
        service = WorkingConsumer(
            config,
            lambda: Sessions(self.site.storage),
            lambda row, sessions, teller: self._parts(router, config, row, sessions, teller),
            self.site.clock,
            self.telemetry,
        )
        service.begins = self.begins
        service.compare = lambda: compare_sources(self.site, service.role, router.topics, self.telemetry)
        return service

    def _config(self) -> ConsumerConfig:
        settings = self.site.settings
        retries = settings.consumer.in_place_retries
        delays = tuple(IN_PLACE_DELAYS[min(number, len(IN_PLACE_DELAYS) - 1)] for number in range(retries))
        return ConsumerConfig(
            name=self.options.name,
            service=self.site.service,
            concurrency=self.options.concurrency or settings.consumer.concurrency,
            batch_size=self.options.batch_size or settings.consumer.batch_size,
            in_place_delays=delays,
            max_bytes=settings.consumer.max_bytes,
            policy=retry_policy(settings),
            breaker_failures=settings.consumer.breaker_failures,
            breaker_keys=settings.consumer.breaker_keys,
            park_limit=settings.consumer.park_limit,
        )

    def _router(self) -> Router:
        settings, catalog = self.site.settings.consumer, self.options.catalog

        def reader(route: Route) -> Callable[[Envelope], object]:
            return event_reader(route, catalog.upcasters(route.type), settings.max_bytes)

        return make_router(
            self.options.name,
            catalog,
            self.registrations,
            ignored=self.options.ignore,
            middleware=self.options.middleware,
            asynchronous=self.begins.asynchronous,
            is_async=_is_async,
            timeout=settings.handler_timeout.total_seconds(),
            key_policy=settings.key_policy,
            reader=reader,
        )

    def _parts(
        self, router: Router, config: ConsumerConfig, row: InboxConsumer, sessions: Sessions, teller: Teller
    ) -> Parts:
        site = self.site
        performer, threads_lost = self._performer(config)
        facts = Facts(
            consumer_id=row.id,
            arrays=performer.arrays,
            hold_types=router.hold_types,
            receipts_from=row.receipts_from,
            late_types=any(handler.late_parks for handler in router.handlers.values()),
        )
        source: Source
        if self.subscriber is None and site.settings.broker.kind == "log":
            source = log_source(site, router, config, facts, teller, self.options.start)
        else:
            source = BrokerSource(
                self.subscriber or subscriber_of(site.settings),
                router.topics,
                site.names.group if config.name == config.service else f"{site.names.group}-{config.name}",
                InboxRows(sessions, facts, config.policy, site.clock, teller),
                teller,
                places=BrokerPlaces(sessions, row.id),
                kind=site.settings.broker.kind,
                identity=self.options.identity,
            )
        logs = [] if isinstance(source, LogSource) else log_sessions(site, router)
        relay_dead = RelayDead(logs, arrays=facts.arrays)
        breakers = Breakers(config, site.clock, teller)
        return Parts(router, performer, sessions, facts, teller, source, threads_lost, relay_dead, breakers)

    def _performer(self, config: ConsumerConfig) -> tuple[Performer, Callable[[], int]]:
        site, begins = self.site, self.begins
        outbox = outbox_parts(
            self.options.catalog, site.service, None, site.settings.database.db_schema, self.telemetry,
            site.settings.broker.max_bytes, site.settings.retry.max_retry,
        )  # fmt: skip
        tracer = tracer_of(site.settings.broker.kind)
        spans = None if tracer is None else HandlerSpans(tracer, config.name)
        if begins.asynchronous:
            resolve = async_resolver()

            def bind_async(tx: Any, cause: Envelope) -> AsyncBoundOutbox:  # noqa: ANN401 - the application's own kind
                return AsyncBoundOutbox(AsyncOutbox(_caused(outbox, cause), resolve), tx)

            return AsyncPerformer(begins.async_face, site.texts, site.clock, bind_async, spans), lambda: 0
        resolve_sync = sync_resolver()

        def bind(tx: Any, cause: Envelope) -> BoundOutbox:  # noqa: ANN401 - the application's own kind
            return BoundOutbox(Outbox(_caused(outbox, cause), resolve_sync), tx)

        threads = Threads(config.concurrency, "outrider-handlers")
        performer = ThreadPerformer(
            begins.sync_face, site.texts, site.clock, bind, threads, lost_max=config.threads_lost_max, spans=spans
        )
        return performer, lambda: threads.written_off


def _caused(parts: OutboxParts, cause: Envelope) -> OutboxParts:
    """The outbox for messages that `cause` leads to: its correlation (else its id), its id, and the handler's open trace,
    else its own (§3).
    """
    correlation, causation = cause.correlation_id or str(cause.message_id), str(cause.message_id)

    def ambient() -> Ambient:
        current = parts.ambient()
        traced = cause if current.traceparent is None else current
        return Ambient(correlation, causation, traced.traceparent, traced.tracestate)

    return replace(parts, ambient=ambient)


def _is_async(function: Callable[..., Any]) -> bool:
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - its own kind
