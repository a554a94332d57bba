"""The types of §2's columns, each as its database has it.

Invariant: a value comes back as it was written on every database: instants aware and in UTC to the microsecond, texts
compared byte for byte, JSON canonical. Source: spec/scheduling.md §2; OB-98.
"""

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Boolean, Date, DateTime, Dialect, Integer, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator, TypeEngine

from outrider import canonical_json

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
UTF8_BYTES: Final = 4
"""Bytes of a character at most."""
VISIBLE: Final = re.compile(r"[\x21-\x7e]*")


class Characters(TypeDecorator[str]):
    """Text that is compared byte for byte; `length` counts characters, None: any number."""

    impl = String
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    def fault(self, value: str) -> str | None:
        """Why this value has no place in the column."""
        if self.length is not None and len(value) > self.length:
            return f"more than {self.length} characters"
        return "a NUL character" if "\x00" in value else None


class Key(Characters):
    """An id or a word of ours: visible ASCII alone, so that padded blanks merge nothing."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`varchar(n) COLLATE "C"`, `VARCHAR(n)` in ascii_bin, `TEXT`."""
        match dialect.name:
            case "sqlite":
                return Text()
            case "postgresql":
                return String(self.length, collation="C")
        return mysql.VARCHAR(self.length, charset="ascii", collation="ascii_bin")

    def fault(self, value: str) -> str | None:
        """Why this value has no place in the column."""
        return super().fault(value) if VISIBLE.fullmatch(value) else "other characters than visible ASCII"


class WideKey(Characters):
    """A key that others made: any characters, compared byte for byte."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`text COLLATE "C"`, `VARBINARY(4n)`, `TEXT`."""
        match dialect.name:
            case "sqlite":
                return Text()
            case "postgresql":
                return Text(collation="C")
        return mysql.VARBINARY(UTF8_BYTES * (self.length or 0))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401 - text or bytes
        """Bytes where the column has bytes."""
        return value.encode() if value is not None and dialect.name in MYSQL else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002 - text or bytes
        """The text."""
        return value.decode() if isinstance(value, bytes) else value


class Words(Characters):
    """What people wrote: `varchar(n)` or `text`."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`varchar(n)`, `VARCHAR(n)` in utf8mb4_bin, `TEXT`; without a length `text`, `LONGTEXT`, `TEXT`."""
        match dialect.name:
            case "sqlite":
                return Text()
            case "postgresql":
                return Text() if self.length is None else String(self.length)
        if self.length is None:
            return mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
        return mysql.VARCHAR(self.length, charset="utf8mb4", collation="utf8mb4_bin")


class Canonical(TypeDecorator[Any]):
    """A JSON value as its one text: what was stored comes back byte for byte, which json columns don't promise."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`text`, `LONGTEXT` in utf8mb4_bin, `TEXT`."""
        return mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin") if dialect.name in MYSQL else Text()

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002 - any JSON
        """Its text; None is NULL."""
        return None if value is None else canonical_json(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - any JSON
        """The value."""
        return None if value is None else json.loads(value)


class Instant(TypeDecorator[datetime]):
    """An instant in UTC with six digits."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`timestamptz`, `DATETIME(6)`, `INTEGER` of microseconds."""
        match dialect.name:
            case "sqlite":
                return Integer()
            case "postgresql":
                return DateTime(timezone=True)
        return mysql.DATETIME(fsp=6)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ANN401 - as the database has it
        """As the database has it. Raises ValueError for a naive one."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a naive datetime is no instant")
        if dialect.name == "sqlite":
            return (value - EPOCH) // MICROSECOND
        moment = value.astimezone(UTC)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ANN401, ARG002 - see above
        """Aware, in UTC."""
        if value is None:
            return None
        if not isinstance(value, datetime):
            return EPOCH + int(value) * MICROSECOND
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Day(TypeDecorator[date]):
    """A date."""

    impl = Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`date`, `DATE`, `TEXT`."""
        return Text() if dialect.name == "sqlite" else Date()

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:  # noqa: ANN401 - date or text
        """As the database has it."""
        return value.isoformat() if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:  # noqa: ANN401, ARG002 - date or text
        """The date."""
        return date.fromisoformat(value) if isinstance(value, str) else value


class Flag(TypeDecorator[bool]):
    """True or false."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """`boolean`, `TINYINT(1)`, `INTEGER`."""
        match dialect.name:
            case "sqlite":
                return Integer()
            case "postgresql":
                return Boolean()
        return mysql.TINYINT(1)

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:  # noqa: ANN401 - as the database has it
        """As the database has it."""
        return value if value is None or dialect.name == "postgresql" else int(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:  # noqa: ANN401, ARG002 - see above
        """True or false."""
        return None if value is None else bool(value)


MYSQL: Final = frozenset({"mysql", "mariadb"})
"""SQLAlchemy's names of the two."""
