"""What a message adds to a business transaction, and to a hand-written INSERT of the same row."""

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg

from benchmarks.enqueue_async import AsyncpgShop, AsyncPsycopgShop, AsyncSessionShop, AsyncSides
from benchmarks.enqueue_sync import PsycopgShop, SessionShop, SyncSides
from benchmarks.figures import Figure, Result, figure, ratio, worst
from benchmarks.ours import defaults, prepare_database
from benchmarks.rig import rig
from benchmarks.rounds import Options, interleave
from benchmarks.shop import fill

NAMESPACE = "bench"
BLOCK = 50
SHARE = 100
"""A round makes `messages / SHARE` transactions a side, in turns of `BLOCK`; batches of 100 messages a `BLOCK`th of that."""

DRIVERS = {
    "psycopg": ("psycopg", "psycopg_async"),
    "asyncpg": ("asyncpg",),
    "sqlalchemy_orm": ("session", "async_session"),
}
KINDS = ("plain", "add", "insert", "batch", "copy")


class Sides(Protocol):
    """The timed transactions of one library."""

    def block(self, kind: str, transactions: int) -> float:
        """Seconds of so many transactions of a kind."""
        ...


def run(options: Options) -> Result:
    """Measure. The log holds `options.messages` rows before the first round."""
    with rig() as made, asyncio.Runner() as runner:
        database = made.database("enqueue")
        prepare_database(database)
        fill(database, NAMESPACE, options.messages)
        libraries = _libraries(runner, database, count(options.messages))
        samples = _measure(libraries, options)
    figures: dict[str, Figure] = {}
    for key, names in DRIVERS.items():
        if options.wants(key):
            figures[key] = worst({name: ratio(samples, f"{name}.add", f"{name}.plain") for name in names})[1]
    notes: dict[str, Any] = {}
    for key, one, other in (("add_vs_bare_insert", "add", "insert"), ("batch100_vs_copy", "batch", "copy")):
        if options.wants(key):
            found = {name: ratio(samples, f"{name}.{one}", f"{name}.{other}") for name in libraries}
            name, figures[key] = worst(found)
            notes[key] = {"worst": name} | {each: round(value.median, 3) for each, value in found.items()}
    microseconds = {f"{name}_us": figure(values) for name, values in samples.items()}
    return Result(figures, microseconds, defaults(), notes)


def _libraries(runner: asyncio.Runner, database: str, numbers: Iterator[int]) -> dict[str, Sides]:
    connected = runner.run(asyncpg.connect(database))
    plain = runner.run(psycopg.AsyncConnection.connect(database, autocommit=True))
    return {
        "psycopg": SyncSides(PsycopgShop(database), NAMESPACE, numbers),
        "psycopg_async": AsyncSides(runner, AsyncPsycopgShop(plain), NAMESPACE, numbers),
        "asyncpg": AsyncSides(runner, AsyncpgShop(connected), NAMESPACE, numbers),
        "session": SyncSides(SessionShop(database), NAMESPACE, numbers),
        "async_session": AsyncSides(runner, AsyncSessionShop(database), NAMESPACE, numbers),
    }


def _measure(libraries: dict[str, Sides], options: Options) -> dict[str, list[float]]:
    """Microseconds a transaction, by `library.kind`."""
    samples: dict[str, list[float]] = {f"{name}.{kind}": [] for name in libraries for kind in KINDS}
    turns = max(1, options.messages // SHARE // BLOCK)

    def side(name: str) -> float:
        seconds = _turns(libraries[name], turns)
        for kind, value in seconds.items():
            samples[f"{name}.{kind}"].append(value * 1e6)
        return sum(seconds.values())

    interleave({name: partial(side, name) for name in libraries}, options.rounds)
    return {name: values[1:] for name, values in samples.items()}  # without the warm-up


def _turns(sides: Sides, turns: int) -> dict[str, float]:
    """Seconds a transaction by kind; the kinds take turns in small blocks, so that a checkpoint meets all of them."""
    spent = dict.fromkeys(KINDS, 0.0)
    for _ in range(turns):
        for kind in KINDS:
            spent[kind] += sides.block(kind, _size(kind)) / _size(kind)
    return {kind: seconds / turns for kind, seconds in spent.items()}


def _size(kind: str) -> int:
    """Transactions of a turn: one where it holds 100 messages."""
    return 1 if kind in {"batch", "copy"} else BLOCK
