"""The public `Consumer`: handlers and transactions as an application gives them, put together with adapters.

Invariant: nothing is opened before the consumer starts; what is wrong with it is named at once, as one CatalogError.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from outrider.bootstrap.begins import begins_of
from outrider.bootstrap.consumer_parts import ConsumerBuild, ConsumerOptions, WorkingConsumer
from outrider.bootstrap.settings import load
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.wiring import Site, site
from outrider.consumer.router import EventReader, KeyPolicy, Middleware, Registration, Together, longest_timeout
from outrider.core.catalog import Catalog
from outrider.core.errors import CatalogError
from outrider.core.subscriptions import Start
from outrider.ports.broker import Subscriber
from outrider.ports.telemetry import Telemetry
from outrider.telemetry.fan_out import FanOut

IDLE_MARGIN_SECONDS = 5.0
"""How much longer than its longest handler a transaction may do nothing until the server ends it."""

F = TypeVar("F", bound=Callable[..., Any])


class Consumer:
    """Runs handlers, each with its effect exactly once, on messages of a broker or straight from the log.

    `transactions` is what begins the handlers' transactions: see `outrider.bootstrap.begins.SUPPORTED`; handlers are
    synchronous or asynchronous as it is. `start` says where a subscription on the log begins when it is first made.
    `service` owns the inbox (default: the setting `service.name`). `ignore` names types that are passed over,
    `identity={source: "coordinates"}` foreign sources whose ids mean nothing. `middleware` are functions
    `(call, event, tx, context)`, outermost first, inside the transaction. Source: spec/outbox.md §10, §11, §16.
    """

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        *,
        transactions: Any,  # noqa: ANN401 - of any supported library
        start: Start | None = None,
        service: str | None = None,
        batch_size: int | None = None,
        concurrency: int | None = None,
        ignore: Iterable[str] = (),
        middleware: Sequence[Middleware] = (),
        identity: Mapping[str, str] | None = None,
    ) -> None:
        self.options = ConsumerOptions(
            name, catalog, transactions, start, service, batch_size, concurrency, tuple(ignore), tuple(middleware),
            dict(identity or {}),
        )  # fmt: skip
        self._registrations: list[Registration] = []
        self._running: WorkingConsumer | None = None

    @property
    def name(self) -> str:
        """The consumer's name, under which its receipts stand."""
        return self.options.name

    def handler(
        self,
        event: type | str,
        *,
        timeout: float | timedelta | None = None,
        key_policy: KeyPolicy | None = None,
        read: EventReader | None = None,
        together: Together | None = None,
    ) -> Callable[[F], F]:
        """A decorator for the one handler of a type, given by its event class or by its name.

        The handler takes `(event, tx, context)` and returns nothing, or raises `Reject` or `Retry`. `timeout` is in
        seconds; `key_policy` says whether a failed message parks its key (`park_key`) or lets it pass (`pass`). `read` makes
        the handler's event from an envelope, in place of the type's own class; what it refuses as a CodecError is quarantined
        under that code. `together(events, tx)`, of a synchronous handler, does for several events what the handler does for
        one after the other, in the one transaction of their receipts and within one `timeout`; it is called for those that
        were read in a row, and where it raises all of it is taken back and each is handled by itself. With middleware, and
        while spans are recorded, each is handled by itself always.
        Faults are named when the consumer starts.
        """

        def register(function: F) -> F:
            self._registrations.append(Registration(event, function, timeout, key_policy, read, together))
            return function

        return register

    def site(self, settings: Settings) -> Site:
        """The tables that it works on, by these settings. Raises CatalogError, ConfigurationError."""
        options, known = self.options, settings
        if options.service is not None and options.service != known.service.name:
            known = known.model_copy(update={"service": known.service.model_copy(update={"name": options.service})})
        options.catalog.check()
        return site(known, options.catalog)

    def service(
        self,
        settings: Settings | None = None,
        *,
        telemetry: Telemetry | None = None,
        subscriber: Subscriber | None = None,
    ) -> WorkingConsumer:
        """The consumer as a service that starts and stops; `settings` come from file and environment where not given.

        `subscriber` stands for the broker of the settings. Raises CatalogError, ConfigurationError.
        """
        options = self.options
        made = self.site(settings or load())
        known = made.settings
        asynchronous = [iscoroutinefunction(given.function) for given in self._registrations]
        concurrency = options.concurrency or known.consumer.concurrency
        longest = longest_timeout(self._registrations, known.consumer.handler_timeout.total_seconds())
        begins = begins_of(
            options.transactions, prefer_async=any(asynchronous), database=known.database,
            idle_seconds=longest + IDLE_MARGIN_SECONDS,
        )  # fmt: skip
        if not self._registrations and not options.ignore:
            raise CatalogError(f"consumer {options.name!r} has no handlers")
        options = replace(
            options,
            concurrency=1
            if begins.transactions.dialect == "sqlite"
            else min(concurrency, begins.at_once or concurrency),
            batch_size=options.batch_size or known.consumer.batch_size,
        )
        build = ConsumerBuild(made, options, tuple(self._registrations), begins, telemetry or FanOut(), subscriber)
        return build.service()

    async def run(self, settings: Settings | None = None, *, telemetry: Telemetry | None = None) -> None:
        """Work until `stop` is called or the task is cancelled; raises what ended the work."""
        self._running = self.service(settings, telemetry=telemetry)
        await self._running.run()

    async def stop(self, timeout_seconds: float = 20.0) -> bool:
        """Drain what `run` began. Says whether all in-flight work was done in time."""
        if self._running is None:
            raise CatalogError(f"consumer {self.name!r} does not run")
        return await self._running.stop(timeout_seconds)
