"""A result's rows, made when they are first looked at.

The relay needs the last id of a batch to ask for the next, and nothing else of it: the server works on that while these rows
are made (measured: the two took 2.5 and 1.6 µs a row, one after the other).
"""

from collections.abc import Iterator, Sequence
from typing import overload

from psycopg.abc import Transformer
from psycopg.pq.abc import PGresult

from outrider.core.steps import Row


class LazyRows(Sequence[Row]):
    """All rows of `result`, or its last alone, which costs as much as one row."""

    def __init__(self, result: PGresult, transformer: Transformer) -> None:
        transformer.set_pgresult(result)
        self._transformer = transformer
        self._count = result.ntuples
        self._made: list[Row] | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if index == -1 and self._made is None and (last := self._transformer.load_row(self._count - 1, tuple)):
            return last
        return self._all()[index]

    def _all(self) -> list[Row]:
        if self._made is None:
            self._made = self._transformer.load_rows(0, self._count, tuple)
        return self._made
