"""What handling one message gave, and what a handler's error means: decisions without any I/O.

Invariant: an error is read here alone, so that the same error counts the same in a batch, alone and in a retry.
Source: spec/outbox.md OB-28, OB-46 to OB-59.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from outrider.core.answers import Reject, Retry
from outrider.core.retry import Failure
from outrider.core.text import clean_text

_RETRIED: Final = frozenset({1213, 1205, 1020})
"""Deadlock, lock wait timeout, and the row that changed under a snapshot of MariaDB 11.6.2 and later (H20)."""
_PASSING: Final = frozenset(
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
_CLIENTS: Final = range(2000, 3000)


class DatabaseFault(StrEnum):
    """An error of our database that is no fault of the message (OB-28)."""

    SERIALIZATION = "serialization"
    """40001, 40P01, 1213, 1205, 1020, a locked file: the transaction was rolled back and may be run again."""
    UNAVAILABLE = "unavailable"
    """The connection is lost, or the server is out of something."""


@dataclass(frozen=True, slots=True)
class Handled:
    """Receipt and effect are committed together."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """It has its receipt already (OB-47)."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Its type is none of this consumer's business (OB-50)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """It has a row already, which stays as it is (OB-49)."""


@dataclass(frozen=True, slots=True)
class Parked:
    """It queues up behind an earlier one of its key, or waits for its due time (`until_due`)."""

    cause: str = "key"
    until_due: bool = False


@dataclass(frozen=True, slots=True)
class Quarantined:
    """It cannot be understood, or not be placed; its bytes are kept. `stranger`: another message has its id (OB-48);
    `last_sequence`: what its key had seen when it came too late (OB-63).
    """

    code: str
    text: str
    stranger: bool = False
    last_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler failed. `in_place`: trying again at once may help. `at_least` is a lower bound of the delay; `cause` what
    its row says, where that is another than its kind's.
    """

    code: str
    text: str
    failure: Failure = Failure.COUNTED
    at_least: timedelta | None = None
    in_place: bool = True
    cause: str | None = None


HandleOutcome = Handled | Duplicate | Ignored | Standing | Parked | Quarantined | Failed

HANDLED: Final = Handled()
DUPLICATE: Final = Duplicate()
IGNORED: Final = Ignored()
STANDING: Final = Standing()
PARKED: Final = Parked()


class HandlerTimeout(Exception):
    """A handler overran its timeout."""


class TransactionLeft(Exception):
    """A handler returned, but the transaction that was begun for it is no longer open (OB-66)."""


def read_error(error: BaseException, fault: DatabaseFault | None) -> Failed:
    """What becomes of a message whose handler ended in `error`; `fault` says whether it was our database's."""
    if isinstance(error, Reject):
        return Failed("handler.rejected", clean_text(error.reason), Failure.PERMANENT, in_place=False)
    if isinstance(error, Retry):
        failure = Failure.COUNTED if error.counted else Failure.UNCOUNTED
        return Failed("handler.failed", "the handler asked for a retry", failure, error.delay, in_place=False)
    if isinstance(error, HandlerTimeout):
        return Failed("handler.timeout", str(error), in_place=False)
    if isinstance(error, TransactionLeft):
        return Failed("handler.transaction", str(error))
    text = clean_text(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    if fault is not None:
        return Failed("storage.unavailable", text, Failure.UNCOUNTED)
    return Failed("handler.failed", text)


def fault_of_state(sqlstate: str | None) -> DatabaseFault | None:
    """What an SQLSTATE says of our database; None where it is the statement's own fault.

    Source: PostgreSQL documentation, appendix A; classes 08, 53 and 57P, and 40001 and 40P01.
    """
    if sqlstate in {"40001", "40P01"}:
        return DatabaseFault.SERIALIZATION
    if sqlstate is not None and (sqlstate[:2] in {"08", "53"} or sqlstate.startswith("57P")):
        return DatabaseFault.UNAVAILABLE
    return None


def fault_of_number(number: int) -> DatabaseFault | None:
    """What an error number of MySQL or MariaDB says of our database; None where it is the statement's own fault.

    Source: MariaDB documentation, "MariaDB Error Codes"; numbers from 2000 to 2999 are the client's, of a lost connection.
    """
    if number in _RETRIED:
        return DatabaseFault.SERIALIZATION
    return DatabaseFault.UNAVAILABLE if number in _PASSING or number in _CLIENTS else None
