"""Steps: work that needs a database, written once for synchronous and asynchronous callers.

A step is a generator that yields `Statement`s, is sent the rows each one gave, and returns a value. It performs no I/O
itself, so it can be tested with lists. Two shells of the same few lines drive it.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

Row = tuple[Any, ...]
Rows = Sequence[Row]
Params = Mapping[str, Any]


class Statement(NamedTuple):
    """A query's name and its parameters; the storage owns the text.

    `params` hold plain values only: str, int, bool, bytes, UUID, aware datetime, timedelta, None, or lists of one of
    these for a storage that takes arrays. Where `many` is given the query runs once for each of its parameter sets, in
    order and in as few round trips as the driver allows, and the rows of all runs come back as one sequence.
    """

    name: str
    params: Params = MappingProxyType({})
    many: Sequence[Params] | None = None


Steps = Generator[Statement, Rows, T]


def run(steps: Steps[T], execute: Callable[[Statement], Rows]) -> T:
    """Drive `steps` with a blocking `execute`. What `execute` raises is raised inside the step."""
    try:
        statement = next(steps)
        while True:
            try:
                rows = execute(statement)
            except Exception as error:  # noqa: BLE001 - handed into the step, which may translate it
                statement = steps.throw(error)
            else:
                statement = steps.send(rows)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration.value is Any by nature


async def run_async(steps: Steps[T], execute: Callable[[Statement], Awaitable[Rows]]) -> T:
    """Drive `steps` with an awaited `execute`. What `execute` raises is raised inside the step."""
    try:
        statement = next(steps)
        while True:
            try:
                rows = await execute(statement)
            except Exception as error:  # noqa: BLE001 - handed into the step, which may translate it
                statement = steps.throw(error)
            else:
                statement = steps.send(rows)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration.value is Any by nature
