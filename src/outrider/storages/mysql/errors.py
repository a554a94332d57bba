"""The drivers' errors as ours, by the server's number, cause kept: asyncmy and PyMySQL name their classes alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asyncmy import errors as asyncmy_errors
from pymysql import err as pymysql_errors

from outrider.core.consume_plan import DatabaseFault, fault_of_number
from outrider.core.errors import SchemaMismatch, StorageUnavailable
from outrider.runtime.mysql_driver import number_of
from outrider.storages.mysql.access import access_refused

NO_TABLE: Final = 1146
DRIVER_ERRORS: Final = (asyncmy_errors.MySQLError, pymysql_errors.MySQLError)
CONNECTION_ERRORS: Final = (
    asyncmy_errors.OperationalError, asyncmy_errors.InterfaceError,
    pymysql_errors.OperationalError, pymysql_errors.InterfaceError,
)  # fmt: skip


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction was in the way, and trying again may do (OB-16)."""
    return fault_of_number(number_of(error)) is DatabaseFault.SERIALIZATION


@contextmanager
def translated() -> Iterator[None]:
    """Raise StorageUnavailable for what may pass by itself, AccessRefused and SchemaMismatch for what a deployer mends;
    programming errors stay as they are.
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        number = number_of(error)
        if number == NO_TABLE:
            raise SchemaMismatch(_text(error)) from error
        if refused := access_refused(number, _text(error)):
            raise refused from error
        if fault_of_number(number) is not None or (number == 0 and isinstance(error, CONNECTION_ERRORS)):
            raise StorageUnavailable(_text(error)) from error
        raise
    except (OSError, EOFError) as error:
        raise access_refused(0, _text(error)) or StorageUnavailable(_text(error)) from error


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(part) for part in error.args)}"
