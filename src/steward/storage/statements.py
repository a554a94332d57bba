"""Statements, each shape of them made once: which columns are compared and how; the values are its parameters.

Invariant: what a column could not hold is never asked for, and finds nothing, on every database.
Source: spec/scheduling.md §2.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Insert,
    Integer,
    Select,
    Table,
    Update,
    any_,
    bindparam,
    delete,
    false,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.mysql import limit as mysql_limit
from sqlalchemy.dialects.postgresql import ARRAY

from steward.ports.storage import Is
from steward.storage.rows import CHARACTERS, COLUMNS, TO, WAS
from steward.storage.tables import TABLES
from steward.storage.types import MYSQL

SIGNS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
NULL, NOT_NULL, IN, NEVER = "null", "not null", "in", "never"
LIMIT: Final = "limit"

Shape = tuple[tuple[str, str], ...]
"""Names of columns, each with the sign by which it is compared."""
_QUERIES: Final = {TABLES[kind]: select(*columns) for kind, columns in COLUMNS.items()}


def asked(table: Table, where: Mapping[str, object]) -> tuple[Shape, dict[str, object]]:
    """The shape of `where`, and the parameters that fill it."""
    signs, values = [], dict[str, object]()
    for name, wanted in where.items():
        sign, value = _sign(table, name, wanted)
        signs.append((name, sign))
        if sign == IN or sign in SIGNS:
            values[WAS + name] = value
    return tuple(signs), values


def reading(table: Table) -> Select[Any]:
    """A query of the columns that its rows have."""
    return _QUERIES[table]


@cache
def finding(table: Table, shape: Shape, order: tuple[str, ...], limited: bool, dialect: str) -> Select[Any]:
    """The query of the rows that fit; `limited` has the parameter `limit`."""
    query = reading(table).where(*criteria(table, shape, dialect)).order_by(*ordering(table, order, dialect))
    return query.limit(bindparam(LIMIT, type_=Integer())) if limited else query


@cache
def counting(table: Table, shape: Shape, dialect: str) -> Select[Any]:
    """How many rows fit."""
    return select(func.count()).select_from(table).where(*criteria(table, shape, dialect))


@cache
def inserting(table: Table) -> Insert:
    """The statement that inserts rows."""
    return insert(table)


@cache
def changing(table: Table, shape: Shape, plain: tuple[str, ...], raised: tuple[str, ...], dialect: str) -> Update:
    """The statement that gives columns the parameters `to_…`; those that are raised become themselves plus theirs."""
    columns = table.c
    values: dict[str, Any] = {name: bindparam(TO + name) for name in plain}
    values |= {name: columns[name] + bindparam(TO + name, type_=columns[name].type) for name in raised}
    return update(table).where(*criteria(table, shape, dialect)).values(values)


@cache
def deleting(table: Table, shape: Shape, limit: int | None, dialect: str) -> Delete:
    """The statement that deletes rows that fit."""
    fitting = criteria(table, shape, dialect)
    if limit is None:
        return delete(table).where(*fitting)
    if dialect in MYSQL:
        return delete(table).where(*fitting).ext(mysql_limit(limit))
    key = tuple_(*table.primary_key)
    return delete(table).where(key.in_(select(*table.primary_key).where(*fitting).limit(limit)))


def criteria(table: Table, shape: Shape, dialect: str) -> list[ColumnElement[bool]]:
    """The conditions of a shape, all of which must hold."""
    return [_condition(table.c[name], sign, dialect) for name, sign in shape]


def ordering(table: Table, order: Sequence[str], dialect: str) -> list[ColumnElement[Any]]:
    """What `order by` says: `-column` falls. NULL comes before every value, everywhere."""
    made: list[ColumnElement[Any]] = []
    for name in order:
        falls = name.startswith("-")
        column = table.c[name.removeprefix("-")]
        one = column.desc() if falls else column.asc()
        if column.nullable and dialect == "postgresql":
            one = one.nulls_last() if falls else one.nulls_first()
        made.append(one)
    return made


def _condition(column: Column[Any], sign: str, dialect: str) -> ColumnElement[bool]:
    match sign:
        case "null":
            return column.is_(None)
        case "not null":
            return column.is_not(None)
        case "never":
            return false()
        case "in" if dialect == "postgresql":  # one text, however many values
            return column == any_(bindparam(WAS + column.name, type_=ARRAY(column.type)))
        case "in":
            return column.in_(bindparam(WAS + column.name, expanding=True))
    found: ColumnElement[bool] = SIGNS[sign](column, bindparam(WAS + column.name))
    return found


def _sign(table: Table, name: str, wanted: object) -> tuple[str, object]:
    if wanted is None:
        return NULL, None
    if not isinstance(wanted, Is):
        return ("==", wanted) if _fits(table, name, wanted) else (NEVER, None)
    if wanted.operator == "not null":
        return NOT_NULL, None
    if wanted.operator == "in":
        values = [value for value in _listed(wanted.value) if _fits(table, name, value)]
        return (IN, values) if values else (NEVER, None)
    if _fits(table, name, wanted.value):
        return wanted.operator, wanted.value
    return (NOT_NULL if wanted.operator == "!=" else NEVER), None


def _listed(value: object) -> Sequence[object]:
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        raise TypeError(f"a list of values, not {type(value).__name__}")
    return list(value)


def _fits(table: Table, name: str, value: object) -> bool:
    """Whether the column could hold this: a database that is asked for what it could not hold may refuse the question."""
    if not isinstance(value, str):
        return True
    characters = CHARACTERS[table].get(name)
    return characters is None or not characters.fault(value)
