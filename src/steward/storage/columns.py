"""Columns and tables in the words of §2, so that a table's definition reads as its row there.

Source: spec/scheduling.md §2.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    false,
    text,
    true,
)
from sqlalchemy.types import TypeEngine

from steward.storage.types import Canonical, Day, Flag, Instant, Key, WideKey, Words

METADATA: Final = MetaData()
CHECK: Final = "check"
INNODB: Final[dict[str, Any]] = {f"{name}_{option}": value for name in ("mysql", "mariadb")
                 for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))}  # fmt: skip


def key(
    name: str, length: int = 64, *, null: bool = False, default: str | None = None, among: Sequence[str] = ()
) -> Column[Any]:
    """`KEY n`; `among` are the values that it may have."""
    return _column(name, Key(length), null, None if default is None else text(f"'{default}'"), among)


def wide_key(name: str, length: int, *, null: bool = False) -> Column[Any]:
    """`UKEY n`."""
    return _column(name, WideKey(length), null)


def words(name: str, length: int | None = None, *, null: bool = False) -> Column[Any]:
    """`TEXT n`, `TEXT`."""
    return _column(name, Words(length), null)


def json(name: str, *, null: bool = False) -> Column[Any]:
    """`JSON`."""
    return _column(name, Canonical(), null)


def instant(name: str, *, null: bool = False) -> Column[Any]:
    """`TS`."""
    return _column(name, Instant(), null)


def day(name: str, *, null: bool = False) -> Column[Any]:
    """`DATE`."""
    return _column(name, Day(), null)


def flag(name: str, *, default: bool) -> Column[Any]:
    """`bool`."""
    return _column(name, Flag(), False, true() if default else false())


def whole(name: str, *, null: bool = False, default: int | None = None) -> Column[Any]:
    """`int`."""
    return _number(name, Integer(), null, default)


def small(
    name: str, *, null: bool = False, default: int | None = None, between: tuple[int, int] | None = None
) -> Column[Any]:
    """`smallint`."""
    made = _number(name, SmallInteger().with_variant(Integer(), "sqlite"), null, default)
    if between is not None:
        made.info[CHECK] = f"{name} BETWEEN {between[0]} AND {between[1]}"
    return made


def big(name: str, *, default: int | None = None) -> Column[Any]:
    """`bigint`."""
    return _number(name, BigInteger().with_variant(Integer(), "sqlite"), False, default)


def lease() -> tuple[Column[Any], ...]:
    """`lease`: who works on the row, the fence, and until when."""
    return key("lease_owner", 128, null=True), big("lease_epoch", default=0), instant("lease_until", null=True)


def table(
    name: str,
    *columns: Column[Any],
    primary: Sequence[str],
    unique: Sequence[Sequence[str]] = (),
    index: Sequence[Sequence[str]] = (),
) -> Table:
    """A table of these columns and the two of every table, with its keys, its indexes and its CHECKs."""
    checks = [CheckConstraint(one.info[CHECK], name=f"ck_{name}_{one.name}") for one in columns if CHECK in one.info]
    made = Table(
        name, METADATA, *columns, instant("created_at"), instant("updated_at"),
        PrimaryKeyConstraint(*primary), *checks, **INNODB,
    )  # fmt: skip
    for prefix, lists in (("ux", unique), ("ix", index)):
        for names in lists:
            Index("_".join((prefix, name, *names)), *(made.c[one] for one in names), unique=prefix == "ux")
    return made


def _number(name: str, kind: TypeEngine[Any], null: bool, default: int | None) -> Column[Any]:
    return _column(name, kind, null, None if default is None else text(str(default)))


def _column(
    name: str,
    kind: TypeEngine[Any],
    null: bool,
    default: Any = None,  # noqa: ANN401 - an SQL expression
    among: Sequence[str] = (),
) -> Column[Any]:
    listed = ", ".join(f"'{value}'" for value in among)
    info = {CHECK: f"{name} IN ({listed})"} if among else {}
    return Column(name, kind, nullable=null, server_default=default, autoincrement=False, info=info)
