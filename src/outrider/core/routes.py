"""The table of routes: what processes without the application's code know of its catalog.

Statements: `read_routes` () -> rows of `COLUMNS`, by type · `write_route` (`COLUMNS` without updated_at) upserts where hash
or consumers_here differ and gives (type) for each row written · `forget_route` (type) -> (type) where there was one.
JSON columns are text both ways. Types are added or changed, never removed by themselves. Source: spec/outbox.md OB-97.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from outrider.core.catalog import Catalog
from outrider.core.steps import Statement, Steps

COLUMNS: Final = (
    "type", "owner", "topic", "producers", "consumers", "consumers_here", "version_max", "on_dead", "late", "max_bytes",
    "hash", "updated_at",
)  # fmt: skip


def read_routes() -> Steps[list[dict[str, Any]]]:
    """Every row, as a mapping by column."""
    rows = yield Statement("read_routes")
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def write_routes(rows: Iterable[Mapping[str, Any]]) -> Steps[tuple[str, ...]]:
    """Bring the table up to date; gives the types that were new or had changed."""
    many = list(rows)
    if not many:
        return ()
    written = yield Statement("write_route", many=many)
    return tuple(str(name) for (name,) in written)


def forget_route(type_name: str) -> Steps[bool]:
    """Remove a type from the table; False where it was not there."""
    rows = yield Statement("forget_route", {"type": type_name})
    return bool(rows)


def has_route(type_name: str) -> Steps[bool]:
    """Whether the table has a type."""
    return any(row["type"] == type_name for row in (yield from read_routes()))


def route_rows(catalog: Catalog, service: str, consumers_here: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The rows of the types that concern `service`: those it owns, produces or is named a consumer of."""
    here = tuple(consumers_here)
    concerned = (
        route
        for route in catalog.routes.values()
        if service in (route.owner, *route.producers, *route.consumers) or set(here) & set(route.consumers)
    )
    return [route.to_row(here) for route in concerned]
