"""Rows as values and as parameters.

Invariant: what is too long or not of its column's characters is never written. Source: spec/scheduling.md §2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Table

from steward.ports.storage import Raise
from steward.storage.tables import TABLES
from steward.storage.types import Characters

R = TypeVar("R")
CREATED: Final = "created_at"
UPDATED: Final = "updated_at"
WAS, TO = "was_", "to_"
"""What the names of parameters begin with: of a column that is compared, of one that is changed."""

COLUMNS: Final = {kind: [table.c[field.name] for field in fields(kind)] for kind, table in TABLES.items()}
"""The columns that the rows of each kind have, in the order of their fields."""
CHARACTERS: Final[Mapping[Table, Mapping[str, Characters]]] = {
    table: {column.name: column.type for column in table.c if isinstance(column.type, Characters)}
    for table in TABLES.values()
}


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
    """The parameters of a change: the new values, or by how much they are raised. Raises ValueError."""
    found = {name: value.by if isinstance(value, Raise) else value for name, value in values.items()}
    return {TO + name: value for name, value in {UPDATED: now, **checked(TABLES[kind], found)}.items()}


def equal_to(kind: type[Any], where: Mapping[str, object]) -> dict[str, Any]:
    """The parameters by which one row of many is found. Raises ValueError."""
    return {WAS + name: value for name, value in checked(TABLES[kind], where).items()}


def checked(table: Table, values: Mapping[str, object]) -> Mapping[str, object]:
    """The same, where each value fits its column. Raises ValueError that names the column."""
    characters = CHARACTERS[table]
    for name, value in values.items():
        if isinstance(value, str) and (kind := characters.get(name)) and (fault := kind.fault(value)):
            raise ValueError(f"{table.name}.{name}: {fault}")
    return values
