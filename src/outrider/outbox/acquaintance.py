"""The one-time look at a database that a transaction belongs to: is it this service's, and the one met before.

Invariant: the look never aborts the caller's transaction, and only a database that passed is remembered.
Source: spec/outbox.md OB-97, OB-99.
"""

import warnings
from collections.abc import Hashable

from outrider.core.catalog import Catalog
from outrider.core.errors import SchemaMismatch, WrongDatabase
from outrider.core.identity import HASH_FUNCTION
from outrider.core.meta import HASH, INSTANCE, read_meta
from outrider.core.steps import Statement, Steps

TARGETS_MAX = 1024


class Acquaintance:
    """The databases that an outbox has met, by transaction target. Safe to share between threads.

    Statements: `tables_exist` gives (bool), `read_meta` (name, value), `read_route_hashes` (type, hash).
    """

    def __init__(self, catalog: Catalog, service: str) -> None:
        self._catalog = catalog
        self._service = service
        self._known: dict[Hashable, None] = {}
        self._first: dict[str, str] = {}
        self._warned: set[str] = set()

    def has_met(self, target: Hashable) -> bool:
        """Whether transactions of `target` need no look. None stands for a target without a name: looked at each time."""
        return target in self._known

    def meet(self, target: Hashable) -> Steps[None]:
        """Look at the database. Raises WrongDatabase where the service has no tables there, or it is another instance
        than the first; SchemaMismatch for another hash function. Warns where the table of routes differs.
        """
        rows = yield Statement("tables_exist")
        if not rows or not rows[0][0]:
            raise WrongDatabase(
                f"this database has no tables of service {self._service!r}: pass a connection to the one that has, or "
                "run  outrider migrate"
            )
        meta = yield from read_meta()
        if meta.get(HASH, HASH_FUNCTION) != HASH_FUNCTION:
            raise SchemaMismatch(
                f"the tables were filled by hash function {meta[HASH]}, this release has {HASH_FUNCTION}"
            )
        instance = meta.get(INSTANCE, "")
        if self._first.setdefault("instance", instance) != instance:
            raise WrongDatabase(
                f"this database is instance {instance or '(none)'} of service {self._service!r}, but this outbox writes "
                f"to {self._first['instance'] or '(none)'}: use an outbox for each"
            )
        hashes = yield Statement("read_route_hashes")
        self._compare({row[0]: row[1] for row in hashes})
        if target is not None:
            if len(self._known) >= TARGETS_MAX:
                self._known.clear()
            self._known[target] = None

    def _compare(self, stored: dict[str, str]) -> None:
        """Warn of the types whose route the table tells otherwise or not at all; an empty table tells nothing yet."""
        if not stored:
            return
        mine = {name: route for name, route in self._catalog.routes.items() if self._service in route.producers}
        differing = {name for name, route in mine.items() if stored.get(name) != route.hash()} - self._warned
        if differing:
            self._warned |= differing
            warnings.warn(
                f"the table of routes of service {self._service!r} differs from the catalog for "
                f"{', '.join(sorted(differing))}: "
                "run  outrider migrate, or restart the relay with this catalog",
                stacklevel=2,
            )
