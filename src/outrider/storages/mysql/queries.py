"""All queries of this storage, for one service."""

from outrider.runtime.sql import read_queries
from outrider.storages.mysql.values import MysqlQueries


def queries(prefix: str, schema: str | None = None) -> MysqlQueries:
    """Load every file in `sql`, with the service's table names filled in; `schema` is another database of the server."""
    return MysqlQueries(read_queries("outrider.storages.mysql"), prefix, schema)
