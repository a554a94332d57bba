"""All queries of this storage, for one service."""

from outrider.runtime.sql import Queries, read_queries


def queries(prefix: str, schema: str | None = None) -> Queries:
    """Load every file in `sql`, with the service's table names filled in."""
    return Queries(read_queries("outrider.storages.postgres"), prefix, schema)
