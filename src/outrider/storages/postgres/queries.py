"""All queries of this storage, for one service."""

from importlib.resources import files

from outrider.runtime.sql import Queries, read_queries

_PACKAGE = "outrider.storages.postgres"


def queries(prefix: str, schema: str | None = None) -> Queries:
    """Load every file in `sql`, with the service's table names filled in."""
    texts: dict[str, str] = {}
    for file in sorted(files(_PACKAGE).joinpath("sql").iterdir(), key=lambda file: file.name):
        texts |= read_queries(_PACKAGE, f"sql/{file.name}")
    return Queries(texts, prefix, schema)
