"""Which handler takes which type, and what it is given.

Invariant: one handler per consumer and type, matched by exact name; all faults are named at once when the consumer
starts (OB-71, OB-90).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from outrider.core.catalog import Catalog
from outrider.core.envelope import Envelope
from outrider.core.errors import CatalogError, UnregisteredType
from outrider.core.routing import CONSUMER, Route

KeyPolicy = Literal["park_key", "pass"]
Call = Callable[..., Any]
Middleware = Callable[..., Any]


Together = Callable[[Sequence[Any], Any], None]
"""`together(events, tx)`: synchronous, all or nothing."""
EventReader = Callable[[Envelope], object]
"""Turns a body into the event that a handler takes, lifting old versions; raises CodecError, whose code names the
quarantine that the message goes to."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that takes one type. `timeout` is seconds; `call(event, tx, context)`, inside the middleware; `together`,
    where there is one, does for several events at once what `call` does for one after the other.
    """

    type: str
    route: Route
    call: Call
    timeout: float
    parks_key: bool
    read: EventReader
    late_parks: bool
    together: Together | None = None


class Context:
    """What a handler may want to know: the message as it came, the attempt (1 is the first), when it must be done by.

    `outbox.add(...)` adds messages to the handler's own transaction, as caused by this one (OB-72).
    """

    __slots__ = ("_bind", "_outbox", "_started", "_timeout", "_tx", "attempt", "message")

    def __init__(
        self,
        message: Envelope,
        attempt: int,
        started: datetime,
        timeout: float,
        tx: object,
        bind: Callable[[Any, Envelope], Any],
    ) -> None:
        self.message = message
        self.attempt = attempt
        self._started = started
        self._timeout = timeout
        self._tx = tx
        self._bind = bind
        self._outbox: Any = None

    @property
    def deadline(self) -> datetime:
        """When the handler must be done: its start on the host's clock and its timeout, aware."""
        return self._started + timedelta(seconds=self._timeout)

    @property
    def outbox(self) -> Any:  # noqa: ANN401 - BoundOutbox or AsyncBoundOutbox, by the kind of transaction
        """The outbox of the consumer's service, bound to this transaction."""
        if self._outbox is None:
            self._outbox = self._bind(self._tx, self.message)
        return self._outbox


@dataclass(frozen=True, slots=True)
class Registration:
    """A handler as it was registered, before the consumer starts."""

    event: type | str
    function: Call
    timeout: float | timedelta | None
    key_policy: KeyPolicy | None
    read: EventReader | None = None
    together: Together | None = None


class Router:
    """The handlers of one consumer by type, and what it does with other types."""

    def __init__(
        self, consumer: str, catalog: Catalog, handlers: Mapping[str, Handler], ignored: frozenset[str]
    ) -> None:
        self.handlers = handlers
        self._consumer = consumer
        self._catalog = catalog
        self._ignored = ignored

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the types that it handles or ignores (OB-32)."""
        names = [*self.handlers, *(name for name in self._ignored if name in self._catalog)]
        routes = [self._catalog.route(name) for name in names]
        return tuple(dict.fromkeys(topic for route in routes for topic in (route.topic, *route.topics)))

    @property
    def producers(self) -> tuple[str, ...]:
        """The services that produce the types that it handles."""
        return tuple(dict.fromkeys(name for handler in self.handlers.values() for name in handler.route.producers))

    @property
    def hold_types(self) -> frozenset[str]:
        """The types whose dead messages hold their key (OB-27)."""
        return frozenset(name for name, handler in self.handlers.items() if handler.route.on_dead == "hold")

    @property
    def understood(self) -> Mapping[str, int]:
        """The newest version of each type that is handled or ignored here."""
        known = {name: handler.route.version for name, handler in self.handlers.items()}
        return known | dict.fromkeys(self._ignored, 32767)

    def ignores(self, type_name: str) -> bool:
        """Whether a type without a handler is passed over, and not quarantined (OB-50, OB-51)."""
        if type_name in self._ignored:
            return True
        return type_name in self._catalog and self._consumer not in self._catalog.route(type_name).consumers


def make_router(
    consumer: str,
    catalog: Catalog,
    registrations: Sequence[Registration],
    *,
    ignored: Iterable[str],
    middleware: Sequence[Middleware],
    asynchronous: bool,
    is_async: Callable[[Call], bool],
    timeout: float,
    key_policy: KeyPolicy,
    reader: Callable[[Route], EventReader],
) -> Router:
    """Check all registrations, and raise one CatalogError that names every fault; `asynchronous` is the kind of the
    transactions, which every handler and middleware must share.
    """
    faults = [] if CONSUMER.fullmatch(consumer) else [f"consumer {consumer!r} must match {CONSUMER.pattern}"]
    faults += [_kind_fault("middleware", is_async(wrap), asynchronous=asynchronous) for wrap in middleware]
    handlers: dict[str, Handler] = {}
    for given in registrations:
        try:
            route = catalog.route(given.event) if isinstance(given.event, str) else _route(catalog, given.event)
        except (UnregisteredType, _Unknown) as missing:
            faults.append(str(missing))
            continue
        if route.type in handlers:
            faults.append(f"type {route.type!r} has two handlers in consumer {consumer!r}")
        faults.append(
            _kind_fault(f"the handler of {route.type!r}", is_async(given.function), asynchronous=asynchronous)
        )
        limit = timeout if given.timeout is None else _seconds(given.timeout)
        if limit <= 0:
            faults.append(f"the handler of {route.type!r} must have a timeout above 0")
        policy = given.key_policy or key_policy
        if policy not in {"park_key", "pass"}:
            faults.append(f"the handler of {route.type!r} has key_policy {policy!r}, not 'park_key' or 'pass'")
        handlers[route.type] = Handler(
            type=route.type,
            route=route,
            call=_wrapped(given.function, middleware),
            timeout=limit,
            parks_key=policy == "park_key",
            read=given.read or reader(route),
            late_parks=route.late == "park",
            together=None if middleware else given.together,
        )
    found = [fault for fault in faults if fault]
    if found:
        raise CatalogError(found)
    return Router(consumer, catalog, handlers, frozenset(ignored))


class _Unknown(LookupError):
    pass


def _route(catalog: Catalog, event_class: type) -> Route:
    """The route of an event class, which must be the newest of its type: older bodies are lifted to it."""
    for route in catalog.routes.values():
        if route.event_class is event_class:
            return route
    raise _Unknown(f"{event_class.__name__} is not the newest event of a type of this catalog")


def longest_timeout(registrations: Sequence[Registration], timeout: float) -> float:
    """The longest time that a handler may take, `timeout` where nothing else is said; in seconds."""
    said = [timeout if given.timeout is None else _seconds(given.timeout) for given in registrations]
    return max(said, default=timeout)


def _seconds(limit: float | timedelta) -> float:
    return limit.total_seconds() if isinstance(limit, timedelta) else float(limit)


def _kind_fault(what: str, given: bool, *, asynchronous: bool) -> str:
    if given == asynchronous:
        return ""
    kinds = ("asynchronous", "synchronous") if given else ("synchronous", "asynchronous")
    return f"{what} is {kinds[0]}, but the consumer's transactions are {kinds[1]}"


def _wrapped(function: Call, middleware: Sequence[Middleware]) -> Call:
    """The handler inside its middleware, the first given outermost: `wrap(call, event, tx, context)`."""
    for wrap in reversed(middleware):
        function = _inside(wrap, function)
    return function


def _inside(wrap: Middleware, inner: Call) -> Call:
    def call(event: object, tx: object, context: Context) -> object:
        return wrap(inner, event, tx, context)

    return call
