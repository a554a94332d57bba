"""The drivers' errors as ours, by the server's number, cause kept.

asyncmy and PyMySQL have the same classes under other names, and give the number first. Source: spec/outbox.md OB-16, H20.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asyncmy import errors as asyncmy_errors
from pymysql import err as pymysql_errors

from outrider.core.errors import SchemaMismatch, StorageUnavailable

RETRYABLE: Final = frozenset({1213, 1205, 1020})
"""Deadlock, lock wait timeout, and the row that changed under a snapshot of MariaDB 11.6.2 and later."""
NO_TABLE: Final = 1146
PASSING: Final = RETRYABLE | frozenset(
    {
        1040,  # too many connections
        1053,  # shutdown in progress
        1158, 1159, 1160, 1161,  # packets lost on the way
        1180,  # the commit failed
        1290,  # read-only by an option: a primary that is being replaced
        1317, 1969, 3024,  # the query was killed, or took longer than it may
        1836,  # read only
        1927, 4031,  # the connection was killed, or idle for too long
    }
)  # fmt: skip
DRIVER_ERRORS: Final = (asyncmy_errors.MySQLError, pymysql_errors.MySQLError)
CONNECTION_ERRORS: Final = (
    asyncmy_errors.OperationalError, asyncmy_errors.InterfaceError,
    pymysql_errors.OperationalError, pymysql_errors.InterfaceError,
)  # fmt: skip
CLIENT_SIDE: Final = range(2000, 3000)


def number_of(error: BaseException) -> int:
    """The server's (or client library's) number; 0 where there is none."""
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


@contextmanager
def translated() -> Iterator[None]:
    """Raise StorageUnavailable for what may pass by itself; programming errors stay as they are."""
    try:
        yield
    except DRIVER_ERRORS as error:
        number = number_of(error)
        if number == NO_TABLE:
            raise SchemaMismatch(_text(error)) from error
        if number in PASSING or number in CLIENT_SIDE or (number == 0 and isinstance(error, CONNECTION_ERRORS)):
            raise StorageUnavailable(_text(error)) from error
        raise
    except (OSError, EOFError) as error:
        raise StorageUnavailable(_text(error)) from error


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(part) for part in error.args)}"
