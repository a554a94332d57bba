"""The catalog: which services there are, which types travel where, and how old bodies are read.

Invariant: a catalog is a value that an application builds at import and hands to its outbox, relay and consumers; there
is no global one. Registering the same twice is fine, a contradiction raises CatalogError. Source: spec/outbox.md §8.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Self, TypeVar

from outrider.core.catalog_faults import foreign_names, shared_names, version_gaps
from outrider.core.errors import CatalogError, InvalidMessage, UnregisteredType
from outrider.core.routing import SERVICE, Late, OnDead, Route, ServiceNames
from outrider.core.upcast import Upcaster, read_version

EventClass = TypeVar("EventClass", bound=type)
UpcasterType = TypeVar("UpcasterType", bound=Upcaster)


@dataclass(slots=True)
class _Entry:
    """All that is known of one type: its route (that of the newest version), its classes, its upcasters."""

    route: Route
    classes: dict[int, type] = field(default_factory=dict)
    upcasters: dict[int, Upcaster] = field(default_factory=dict)


class Catalog:
    """The services, the types with their routes, and the upcasters, in one value.

    `Catalog("orders", "billing")` names services in short; tables, topics and groups follow from the names (OB-30).
    Built before it is used: reading it from several threads is safe, changing it then is not.
    """

    __slots__ = ("_by_class", "_entries", "_pending", "_services", "namespace")

    def __init__(self, *services: str, namespace: str = "outrider") -> None:
        if not SERVICE.fullmatch(namespace):
            raise CatalogError(f"namespace {ascii(namespace)[:80]} must match {SERVICE.pattern}")
        self.namespace = namespace
        self._services: dict[str, ServiceNames] = {}
        self._entries: dict[str, _Entry] = {}
        self._by_class: dict[type, Route] = {}
        self._pending: dict[str, dict[int, Upcaster]] = {}
        for name in services:
            self.service(name)

    def service(
        self, name: str, prefix: str | None = None, topic: str | None = None, group: str | None = None
    ) -> ServiceNames:
        """Register a service and return its names; what is None follows from the name (OB-30).

        A service already registered is returned; CatalogError where a name given now differs from the registered one.
        """
        made = ServiceNames.of(name, self.namespace, prefix=prefix, topic=topic, group=group)
        known = self._services.setdefault(name, made)
        given = {"prefix": prefix, "topic": topic, "group": group}
        faults = [
            f"service {name!r} is registered with {what} {getattr(known, what)!r}, not {value!r}"
            for what, value in given.items()
            if value is not None and value != getattr(known, what)
        ]
        if faults:
            raise CatalogError(faults)
        return known

    def event(
        self,
        type: str,  # noqa: A002  the field's name in the spec
        version: str | int = 1,
        *,
        owner: str,
        producers: Iterable[str] | None = None,
        consumers: Iterable[str] = (),
        topic: str | None = None,
        topics: Iterable[str] = (),
        key: str | None = None,
        on_dead: OnDead = "continue",
        late: Late = "apply",
        max_bytes: int | None = None,
    ) -> Callable[[EventClass], EventClass]:
        """A decorator that makes a pydantic model or a dataclass a typed event (OB-31, OB-71).

        Several versions of a type may have a class each; the newest decides the route. Raises CatalogError.
        """

        def register(event_class: EventClass) -> EventClass:
            names = _field_names(event_class)
            if key is not None and key not in names:
                raise CatalogError(f"type {type!r}: key {key!r} is no field of {event_class.__name__}")
            made = self._route(
                type, version, owner, producers, consumers, topic, topics, key, on_dead, late, max_bytes, event_class
            )
            self._register(made)
            return event_class

        return register

    def declare(
        self,
        type: str,  # noqa: A002
        version: str | int = 1,
        *,
        owner: str,
        producers: Iterable[str] | None = None,
        consumers: Iterable[str] = (),
        topic: str | None = None,
        topics: Iterable[str] = (),
        key: str | None = None,
        on_dead: OnDead = "continue",
        late: Late = "apply",
        max_bytes: int | None = None,
    ) -> Route:
        """Register `type` without a class, and return its route; `key` then names a member of a JSON payload."""
        made = self._route(
            type, version, owner, producers, consumers, topic, topics, key, on_dead, late, max_bytes, None
        )
        self._register(made)
        return self._entries[made.type].route

    def upcast(self, type: str, from_version: str | int) -> Callable[[UpcasterType], UpcasterType]:  # noqa: A002
        """A decorator for the pure function that lifts a body of `from_version` to the next version (OB-73)."""
        version = _version(type, from_version)

        def register(function: UpcasterType) -> UpcasterType:
            entry = self._entries.get(type)
            steps = entry.upcasters if entry else self._pending.setdefault(type, {})
            known = steps.setdefault(version, function)
            if known is not function:
                raise CatalogError(f"type {type!r} has two upcasters from version {version}")
            return function

        return register

    def route(self, type: str) -> Route:  # noqa: A002
        """The route of `type`; raises UnregisteredType."""
        try:
            return self._entries[type].route
        except KeyError:
            raise UnregisteredType(type) from None

    def route_for(self, event: object) -> Route:
        """The route of a typed event, with the version of its own class; raises UnregisteredType."""
        try:
            return self._by_class[event.__class__]
        except KeyError:
            raise UnregisteredType(event.__class__.__qualname__) from None

    def is_event(self, value: object) -> bool:
        """Whether `value` is an instance of a registered event class (of that very class, no subclass)."""
        return value.__class__ in self._by_class

    def __contains__(self, type: object) -> bool:  # noqa: A002
        return type in self._entries

    @property
    def services(self) -> Mapping[str, ServiceNames]:
        """The registered services by name, in the order of registration."""
        return MappingProxyType(self._services)

    @property
    def routes(self) -> Mapping[str, Route]:
        """The routes by type, in the order of registration."""
        return {name: entry.route for name, entry in self._entries.items()}

    def upcasters(self, type: str) -> Mapping[int, Upcaster]:  # noqa: A002
        """The upcasters of `type` by the version that they take; raises UnregisteredType."""
        self.route(type)
        return MappingProxyType(self._entries[type].upcasters)

    def check(self) -> None:
        """Raise one CatalogError that names every fault; a service calls it when it starts (OB-33, OB-73)."""
        routes = tuple(self.routes.values())
        faults = [*shared_names(self._services.values()), *foreign_names(self._services, routes)]
        faults += [f"type {name!r} has an upcaster but is not declared" for name in self._pending]
        for route, entry in zip(routes, self._entries.values(), strict=True):
            faults += version_gaps(route, entry.classes, entry.upcasters)
        if faults:
            raise CatalogError(faults)

    @classmethod
    def from_rows(
        cls, namespace: str, services: Iterable[ServiceNames | str], rows: Iterable[Mapping[str, Any]]
    ) -> Self:
        """The catalog that the table `outrider_route` tells of, without classes and upcasters (OB-97).

        Services that only the rows name get their conventional names.
        """
        catalog = cls(namespace=namespace)
        for service in services:
            if isinstance(service, str):
                catalog.service(service)
            else:
                catalog.service(service.name, service.prefix, service.topic, service.group)
        for row in rows:
            route = Route.from_row(row)
            for name in (route.owner, *route.producers):
                catalog.service(name)
            catalog._register(route)
        return catalog

    def _route(
        self,
        type: str,  # noqa: A002
        version: str | int,
        owner: str,
        producers: Iterable[str] | None,
        consumers: Iterable[str],
        topic: str | None,
        topics: Iterable[str],
        key: str | None,
        on_dead: OnDead,
        late: Late,
        max_bytes: int | None,
        event_class: type | None,
    ) -> Route:
        """The route with its defaults filled in; raises CatalogError for what is malformed or an unknown owner."""
        if owner not in self._services:
            raise CatalogError(f"type {type!r}: owner {owner!r} is no service of this catalog")
        many: dict[str, object] = {"producers": producers, "consumers": consumers, "topics": topics}
        faults = [f"type {type!r}: {what} must be a list of names" for what, n in many.items() if isinstance(n, str)]
        route = Route(
            type=type,
            version=_version(type, version),
            owner=owner,
            producers=_unique((owner,) if producers is None else producers),
            consumers=_unique(consumers),
            topic=self._services[owner].topic if topic is None else topic,
            topics=_unique(topics),
            key=key,
            on_dead=on_dead,
            late=late,
            max_bytes=max_bytes,
            event_class=event_class,
        )
        faults = faults or route.faults()
        if faults:
            raise CatalogError(faults)
        return route

    def _register(self, route: Route) -> None:
        entry = self._entries.get(route.type)
        if entry is None:
            entry = _Entry(route, upcasters=self._pending.pop(route.type, {}))
            self._entries[route.type] = entry
        else:
            _refuse_contradiction(entry, route)
            if route.version > entry.route.version or (
                route.version == entry.route.version and entry.route.event_class is None
            ):
                entry.route = route
        if route.event_class is not None:
            known = self._by_class.setdefault(route.event_class, route)
            if (known.type, known.version) != (route.type, route.version):
                raise CatalogError(f"{route.event_class.__name__} is the event of {known.type!r} already")
            entry.classes[route.version] = route.event_class


def _refuse_contradiction(entry: _Entry, route: Route) -> None:
    """Two registrations of a type may differ in version and class; all else must be equal."""
    known = entry.route
    same = replace(route, version=known.version, event_class=known.event_class)
    faults = [
        f"type {route.type!r} is registered with {f.name} {getattr(known, f.name)!r}, not {getattr(same, f.name)!r}"
        for f in fields(Route)
        if getattr(known, f.name) != getattr(same, f.name)
    ]
    registered = entry.classes.get(route.version)
    if registered is not None and route.event_class not in {None, registered}:
        faults.append(f"type {route.type!r} version {route.version} has two classes")
    if faults:
        raise CatalogError(faults)


def _field_names(event_class: Any) -> frozenset[str]:  # noqa: ANN401  a decorator may be put on anything
    """The fields of a pydantic model or a dataclass; CatalogError for another kind of object."""
    model_fields = getattr(event_class, "model_fields", None)
    if isinstance(model_fields, Mapping):
        return frozenset(model_fields)
    if isinstance(event_class, type) and is_dataclass(event_class):
        return frozenset(f.name for f in fields(event_class))
    raise CatalogError(f"{event_class!r} must be a pydantic model or a dataclass")


def _version(type: str, version: str | int) -> int:  # noqa: A002
    try:
        return read_version(version)
    except InvalidMessage as error:
        raise CatalogError(f"type {type!r}: {error}") from None


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
