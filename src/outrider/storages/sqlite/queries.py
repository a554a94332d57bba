"""All queries of this storage, for one service."""

from collections.abc import Callable
from importlib.resources import files

from outrider.runtime.sql import read_queries
from outrider.storages.sqlite.values import SqliteQueries

_PACKAGE = "outrider.storages.sqlite"


def queries(prefix: str, *, now_us: Callable[[], int]) -> SqliteQueries:
    """Load every file in `sql`, with the service's table names filled in; `now_us` is the clock of `:now` (OB-7)."""
    texts: dict[str, str] = {}
    for file in sorted(files(_PACKAGE).joinpath("sql").iterdir(), key=lambda file: file.name):
        texts |= read_queries(_PACKAGE, f"sql/{file.name}")
    return SqliteQueries(texts, prefix, now_us=now_us)
