"""What the drivers of MySQL and MariaDB have in common, for all who hold one of their connections.

PyMySQL, mysqlclient and asyncmy give the same errors, status bits and cursors under other names; nothing here imports one.
"""

from collections.abc import Iterator
from typing import Any, Final

from outrider.core.consume_plan import DatabaseFault, TransactionLeft, fault_of_number
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Query, Texts

DRIVERS: Final = frozenset({"pymysql", "MySQLdb", "asyncmy"})
IN_TRANSACTION: Final = 1
"""SERVER_STATUS_IN_TRANS of the protocol's status flags."""
NO_SAVEPOINT: Final = 1305
BEGUN: Final = "outrider_begun"
"""A savepoint set when a transaction begins: it goes with that transaction, so releasing it proves that very one (OB-66)."""
MARK: Final = f"SAVEPOINT {BEGUN}"
PROOF: Final = f"RELEASE SAVEPOINT {BEGUN}"


def number_of(error: BaseException) -> int:
    """The server's (or client library's) number, also where SQLAlchemy has wrapped the error; 0 where there is none."""
    args = getattr(error, "orig", None) or error
    first = args.args[0] if args.args else 0
    return first if isinstance(first, int) else 0


def fault_of(error: BaseException) -> DatabaseFault | None:
    """What a driver's error says of our database; None for any other error, and where it is the statement's own fault."""
    if not any(base.__module__.partition(".")[0] in DRIVERS for base in type(error).__mro__):
        return None
    if number_of(error) == 0 and type(error).__name__ in {"InterfaceError", "OperationalError"}:
        return DatabaseFault.UNAVAILABLE  # the connection is closed on our side
    return fault_of_number(number_of(error))


def in_transaction(raw: Any) -> bool | None:  # noqa: ANN401 - either driver's connection
    """Whether the server said so in its last answer; None where the driver does not tell (mysqlclient)."""
    ask = getattr(raw, "get_transaction_status", None)
    if ask is not None:
        return bool(ask())
    status = getattr(raw, "server_status", None)
    return None if status is None else bool(status & IN_TRANSACTION)


def is_alone(raw: Any) -> bool:  # noqa: ANN401 - either driver's connection
    """Whether each statement would commit by itself: autocommit, and no transaction that we can see."""
    return bool(raw.get_autocommit()) and in_transaction(raw) is not True


def file_descriptor_of(raw: Any) -> int:  # noqa: ANN401 - of a synchronous driver; psycopg's and mysqlclient's tell it
    """The descriptor of a connection's socket. Raises ValueError where it is closed."""
    if hasattr(raw, "fileno"):
        return int(raw.fileno())
    sock = raw._sock  # noqa: SLF001 - PyMySQL tells it nowhere else
    if sock is None:
        raise ValueError("the connection is closed")
    return int(sock.fileno())


def transaction_left(error: BaseException) -> TransactionLeft | None:
    """The finding that an error is, where the savepoint that it speaks of went with its transaction."""
    if number_of(error) != NO_SAVEPOINT:
        return None
    return TransactionLeft("the transaction that was begun has ended: it was rolled back, or a statement committed it")


def driver_calls(statement: Statement, query: Query, texts: Texts) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """What to execute for a statement, one after the other: text and values, in the drivers' style `format`."""
    if query.each and statement.many is not None:
        sets = [texts.bind(params, query) for params in statement.many]
        text = query.text + f", {query.each}" * (len(sets) - 1)
        yield text, tuple([bound[name] for bound in sets for name in query.names])
        rest = texts.bind(statement.params, query)
        for part in query.then:
            yield part.text, tuple([rest[name] for name in part.names])
        return
    for params in (statement.params,) if statement.many is None else statement.many:
        bound = texts.bind(params, query)
        for part in (query, *query.then):
            yield part.text, tuple([bound[name] for name in part.names])


class Gathered:
    """The rows of a statement's calls: each gives a result set, an id, or neither."""

    __slots__ = ("_found", "_made", "_many", "_texts")

    def __init__(self, statement: Statement, texts: Texts) -> None:
        self._texts = texts
        self._many = statement.many is not None
        self._found: list[Any] | None = None
        self._made = 0

    def add(self, columns: tuple[str, ...] | None, rows: Rows, made: int) -> None:
        """What one call gave: `columns` is None without a result set."""
        if columns is None:
            self._made = self._made or made
            return
        decoded = self._texts.decode(columns, rows)
        self._found = [*(self._found or ()), *decoded] if self._many else list(decoded)

    @property
    def rows(self) -> Rows:
        """The rows of the last result set (of every run where there were many), else the id that was made."""
        if self._found is not None:
            return self._found
        return ((self._made,),) if self._made else ()
