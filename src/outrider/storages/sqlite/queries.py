"""All queries of this storage, for one service."""

from collections.abc import Callable

from outrider.runtime.sql import read_queries
from outrider.storages.sqlite.values import SqliteQueries


def queries(prefix: str, *, now_us: Callable[[], int]) -> SqliteQueries:
    """Load every file in `sql`, with the service's table names filled in; `now_us` is the clock of `:now` (OB-7)."""
    return SqliteQueries(read_queries("outrider.storages.sqlite"), prefix, now_us=now_us)
