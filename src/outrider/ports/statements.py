"""The text behind a statement: what a storage hands to whoever executes in a transaction."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from outrider.core.steps import Rows

ParamStyle = Literal["named", "pyformat", "format", "qmark", "numeric_dollar"]
"""As DB-API names them; `pyformat` is psycopg's, with arrays marked to be sent in binary (`%(name)b`)."""


class Query(NamedTuple):
    """A query's text in a driver's own placeholder style, and its parameters' names in the order of their marks.

    `raw` is the text in UTF-8, made once: psycopg finds what it knows of a query by the bytes themselves. Where `then` is not
    empty (MySQL, MariaDB, which have no RETURNING in common), those are executed after it, in order and in the same
    transaction, each with the values of its own `names`; the last result set that one of them gives is the query's.
    Where `each` is not empty (there too), `text` ends with it: `many` is sent as one statement, with it once for each of its
    parameter sets, and `then` takes its values from `params`. A query of those two without a result set gives the id that
    its first statement made, as one row. Where `together` is not empty (PostgreSQL), it is the text for `many`, as `raw` is:
    each parameter is the array of what the sets say, in their order, and so are the rows.
    """

    text: str
    names: tuple[str, ...]
    raw: bytes = b""
    then: tuple["Query", ...] = ()
    each: str = ""
    together: bytes = b""


class Texts(Protocol):
    """The queries of one storage for one service. Safe to share between threads."""

    def query(self, name: str, style: ParamStyle) -> Query:
        """Give the text of the query `name`. Raises KeyError if the storage has none of that name."""
        ...

    def bind(self, params: Mapping[str, Any], query: Query) -> Mapping[str, Any]:
        """Turn core values (UUID, aware datetime, timedelta, bool) into what the driver binds.

        Adds `now` where the query asks for it and the database has no clock of its own.
        """
        ...

    def decode(self, columns: tuple[str, ...], rows: Rows) -> Rows:
        """Turn the driver's rows into core values (UUID, aware UTC datetime), by column name where needed."""
        ...
