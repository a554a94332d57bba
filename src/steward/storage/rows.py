"""Rows as values and as parameters, and conditions as SQL.

Invariant: what is too long or not of its column's characters is never written, and finds nothing, on every database.
Source: spec/scheduling.md §2.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Column, ColumnElement, Select, Table, false, select

from steward.ports.storage import Is, Raise
from steward.storage.tables import TABLES
from steward.storage.types import Characters

R = TypeVar("R")
SIGNS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
CREATED: Final = "created_at"
UPDATED: Final = "updated_at"


COLUMNS: Final = {kind: [table.c[field.name] for field in fields(kind)] for kind, table in TABLES.items()}
"""The columns that the rows of each kind have, in the order of their fields."""


def reading(kind: type[Any]) -> Select[Any]:
    """A query of a kind's columns."""
    return select(*COLUMNS[kind])


def row_of(kind: type[R], values: Sequence[Any]) -> R:
    """The row that such a query gave."""
    make: Any = kind
    made: R = make(*values)
    return made


def written(row: Any, now: datetime) -> dict[str, Any]:  # noqa: ANN401 - a row of any kind
    """The parameters that insert a row. Raises ValueError."""
    kind = type(row)
    values = {column.name: getattr(row, column.name) for column in COLUMNS[kind]}
    return {CREATED: now, UPDATED: now, **checked(TABLES[kind], values)}


def changed(kind: type[Any], values: Mapping[str, object], now: datetime) -> dict[str, Any]:
    """The new values of a change. Raises ValueError."""
    table = TABLES[kind]
    plain = {name: value for name, value in values.items() if not isinstance(value, Raise)}
    raised = {name: table.c[name] + value.by for name, value in values.items() if isinstance(value, Raise)}
    return {UPDATED: now, **checked(table, plain), **raised}


def checked(table: Table, values: Mapping[str, object]) -> Mapping[str, object]:
    """The same, where each value fits its column. Raises ValueError that names the column."""
    for name, value in values.items():
        kind = table.c[name].type
        if isinstance(value, str) and isinstance(kind, Characters) and (fault := kind.fault(value)):
            raise ValueError(f"{table.name}.{name}: {fault}")
    return values


def criteria(kind: type[Any], where: Mapping[str, object]) -> list[ColumnElement[bool]]:
    """The conditions of `where`, all of which must hold."""
    table = TABLES[kind]
    return [_condition(table.c[name], wanted) for name, wanted in where.items()]


def _condition(column: Column[Any], wanted: object) -> ColumnElement[bool]:
    if wanted is None:
        return column.is_(None)
    if not isinstance(wanted, Is):
        return _compared(column, "==", wanted)
    if wanted.operator == "not null":
        return column.is_not(None)
    if wanted.operator == "in":
        values = [value for value in _listed(wanted.value) if _fits(column, value)]
        return column.in_(values) if values else false()
    return _compared(column, wanted.operator, wanted.value)


def _compared(column: Column[Any], sign: str, value: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a value of the column
    if not _fits(column, value):
        return column.is_not(None) if sign == "!=" else false()
    found: ColumnElement[bool] = SIGNS[sign](column, value)
    return found


def _listed(value: object) -> Sequence[object]:
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        raise TypeError(f"a list of values, not {type(value).__name__}")
    return list(value)


def _fits(column: Column[Any], value: object) -> bool:
    """Whether the column could hold this: a database that is asked for what it could not hold may refuse the question."""
    kind = column.type
    return not (isinstance(value, str) and isinstance(kind, Characters) and kind.fault(value))


def ordering(kind: type[Any], order: Sequence[str], dialect: str) -> list[ColumnElement[Any]]:
    """What `order by` says: `-column` falls. NULL comes before every value, everywhere."""
    table = TABLES[kind]
    made: list[ColumnElement[Any]] = []
    for name in order:
        falls = name.startswith("-")
        column = table.c[name.removeprefix("-")]
        one = column.desc() if falls else column.asc()
        if column.nullable and dialect == "postgresql":
            one = one.nulls_last() if falls else one.nulls_first()
        made.append(one)
    return made
