"""What can be wrong with a catalog as a whole, one line a fault.

Invariant: every function here returns all faults of its kind, so that a start names them at once (OB-33, OB-90).
"""

from collections.abc import Collection, Iterable, Mapping

from outrider.core.routing import Route, ServiceNames


def shared_names(services: Iterable[ServiceNames]) -> list[str]:
    """Services that share a table prefix, a topic or a consumer group."""
    every = list(services)
    faults = []
    for what in ("prefix", "topic", "group"):
        owners: dict[str, str] = {}
        for names in every:
            other = owners.setdefault(getattr(names, what), names.name)
            if other != names.name:
                faults.append(f"services {other!r} and {names.name!r} share the {what} {getattr(names, what)!r}")
    return faults


def foreign_names(services: Mapping[str, ServiceNames], routes: Iterable[Route]) -> list[str]:
    """Producers that are no services, and topics that belong to another service than the type's owner."""
    owners = {names.topic: names.name for names in services.values()}
    faults: list[str] = []
    for route in routes:
        strangers = [name for name in route.producers if name not in services]
        faults += [f"type {route.type!r}: producer {name!r} is no service of this catalog" for name in strangers]
        for topic in (route.topic, *route.topics):
            owner = owners.setdefault(topic, route.owner)
            if owner != route.owner:
                faults.append(f"type {route.type!r} of {route.owner!r}: topic {topic!r} belongs to {owner!r}")
    return faults


def version_gaps(route: Route, classes: Collection[int], upcasters: Collection[int]) -> list[str]:
    """Versions between the oldest that is known and the newest from which no upcaster leads on (OB-73)."""
    oldest = min([route.version, *classes, *upcasters])
    gaps = [
        f"type {route.type!r}: no upcaster leads from version {version} to {version + 1}"
        for version in range(oldest, route.version)
        if version not in upcasters
    ]
    beyond = [
        f"type {route.type!r}: an upcaster from version {version}, but {route.version} is the newest"
        for version in upcasters
        if version >= route.version
    ]
    return gaps + beyond
