"""All statements of this storage, for one service: a function stands where the other storages have a text."""

from collections.abc import Mapping
from typing import Any

from outrider.core.steps import Rows, Statement
from outrider.ports.statements import ParamStyle, Query
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements import STATEMENTS
from outrider.storages.memory.transaction import MemoryTransaction


class MemoryQueries:
    """The statements of the service with `prefix`, as `ports.statements.Texts`."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def run(self, transaction: MemoryTransaction, statement: Statement) -> Rows:
        """Run `statement` once in `transaction`."""
        function = STATEMENTS[statement.name]
        access = MemoryAccess(transaction, self.prefix)
        if statement.many is None:
            return function(access, statement.params)
        return [row for params in statement.many for row in function(access, params)]

    def query(self, name: str, style: ParamStyle) -> Query:  # noqa: ARG002  there is no text to render
        """Give the statement's name as its text. Raises KeyError if there is none of that name."""
        if name not in STATEMENTS:
            raise KeyError(name)
        return Query(name, ())

    def bind(self, params: Mapping[str, Any], query: Query) -> Mapping[str, Any]:  # noqa: ARG002  the same
        """Give the parameters as they are: core values are what is stored."""
        return params

    def decode(self, columns: tuple[str, ...], rows: Rows) -> Rows:  # noqa: ARG002  the same
        """Give the rows as they are."""
        return rows


def queries(prefix: str) -> MemoryQueries:
    """The statements of the service whose tables have `prefix`."""
    return MemoryQueries(prefix)
