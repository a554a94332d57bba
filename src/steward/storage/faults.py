"""What the drivers raise, as what the port says.

Invariant: who calls learns whether another was in the way (Busy), whether a unique key is held (Taken), or that nothing is
known (Unavailable); a mistake of ours passes as it is. Source: spec/scheduling.md ST-46; hazards H20, H21.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from steward.ports.storage import Busy, Taken, Unavailable

DRIVER_ERRORS: Final = (DBAPIError, PoolTimeout, OSError, EOFError)
DUPLICATE: Final = 1062
CONFLICTS: Final = frozenset({1213, 1020, 1305})
"""Deadlock, a row that changed under a snapshot, a savepoint that went with its transaction when that was rolled back."""
LOCKED: Final = 1205
PASSING: Final = frozenset(
    {
        1040,  # too many connections
        1053,  # shutdown in progress
        1158, 1159, 1160, 1161,  # packets lost on the way
        1180,  # the commit failed
        1290, 1836,  # read only: a primary that is being replaced
        1317, 1969, 3024,  # the query was killed, or took longer than it may
        1927, 4031,  # the connection was killed, or idle for too long
    }
)  # fmt: skip
CLIENTS: Final = range(2000, 3000)
"""Numbers of the client's own: a lost connection."""
STATES: Final = frozenset({"57014", "25P03"})
"""Of PostgreSQL: a statement that took longer than it may, a transaction that rested longer than it may."""
CONNECTION_ERRORS: Final = frozenset({"OperationalError", "InterfaceError", "InternalError"})
"""Names of a driver's classes that mean the connection where no number is given."""
MYSQL_KEY: Final = re.compile(r"for key '(?:[^'.]+\.)?([^']+)'")
SQLITE_KEY: Final = re.compile(r"UNIQUE constraint failed: (.+)")


class Fault(StrEnum):
    """An error that is no mistake of a statement."""

    CONFLICT = "conflict"
    """The whole transaction may be done again."""
    LOCKED = "locked"
    UNAVAILABLE = "unavailable"


@contextmanager
def translated() -> Iterator[None]:
    """Raise Busy where another was in the way, Unavailable where nothing is known; a mistake of ours stays as it is."""
    try:
        yield
    except DRIVER_ERRORS as error:
        fault = fault_of(error)
        if fault is None:
            raise
        said = f"{type(error).__name__}: {error}"
        raise (Unavailable(said) if fault is Fault.UNAVAILABLE else Busy(said)) from error


def fault_of(error: BaseException) -> Fault | None:
    """What an error says of the database; None for any other."""
    if isinstance(error, DRIVER_ERRORS[1:]):
        return Fault.UNAVAILABLE
    if not isinstance(error, DBAPIError):
        return None
    if error.connection_invalidated:
        return Fault.UNAVAILABLE
    raised: Any = error.orig
    if isinstance(raised, sqlite3.Error):
        return _of_sqlite(raised)
    if hasattr(raised, "diag"):
        return _of_state(raised)
    return _of_number(_number(raised), type(raised).__name__)


def taken(error: IntegrityError, table: Table) -> Taken | None:
    """Which unique key is held already; None where something else is wrong with the row."""
    raised: Any = error.orig
    if isinstance(raised, sqlite3.Error):
        found = SQLITE_KEY.search(str(raised))
        return Taken(tuple(part.partition(".")[2] for part in found[1].split(", "))) if found else None
    if hasattr(raised, "diag"):
        return _key(table, raised.diag.constraint_name) if raised.sqlstate == "23505" else None
    if _number(raised) != DUPLICATE:
        return None
    found = MYSQL_KEY.search(str(raised.args[1]))
    return _key(table, found[1]) if found else None


def _key(table: Table, name: str | None) -> Taken:
    if name in {"PRIMARY", f"{table.name}_pkey"}:  # as MySQL and PostgreSQL call a primary key that has no name
        return Taken(tuple(table.primary_key.columns.keys()))
    return next(Taken(tuple(index.columns.keys())) for index in table.indexes if index.name == name)


def _of_sqlite(raised: sqlite3.Error) -> Fault | None:
    code = getattr(raised, "sqlite_errorcode", None)
    if code is None:  # aiosqlite's own: the connection is closed
        return Fault.UNAVAILABLE if isinstance(raised, sqlite3.OperationalError) else None
    primary = code & 0xFF
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Fault.LOCKED
    broken = isinstance(raised, sqlite3.OperationalError | sqlite3.DatabaseError) and primary not in {
        sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE, sqlite3.SQLITE_TOOBIG,
    }  # fmt: skip
    return Fault.UNAVAILABLE if broken else None


def _of_state(raised: Any) -> Fault | None:  # noqa: ANN401 - a driver's error
    state = raised.sqlstate
    if state is None:
        return Fault.UNAVAILABLE if type(raised).__name__ in CONNECTION_ERRORS else None
    if state in {"40001", "40P01"}:
        return Fault.CONFLICT
    if state == "55P03":
        return Fault.LOCKED
    away = state[:2] in {"08", "53"} or state.startswith("57P") or state in STATES
    return Fault.UNAVAILABLE if away else None


def _of_number(number: int, name: str) -> Fault | None:
    if number in CONFLICTS:
        return Fault.CONFLICT
    if number == LOCKED:
        return Fault.LOCKED
    away = (number == 0 and name in CONNECTION_ERRORS) or number in PASSING or number in CLIENTS
    return Fault.UNAVAILABLE if away else None


def _number(raised: Any) -> int:  # noqa: ANN401 - a driver's error
    first = raised.args[0] if getattr(raised, "args", ()) else 0
    return first if isinstance(first, int) else 0
