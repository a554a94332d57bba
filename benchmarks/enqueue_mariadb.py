"""What a message costs on MariaDB over a hand-written INSERT of the same row, in the same business transaction.

The service has a relay, so `add` writes a pending row as well, by its second statement; the hand-written side does not.
"""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import asyncmy

from benchmarks.enqueue import BLOCK, SHARE, Sides
from benchmarks.enqueue_async import AsyncSides
from benchmarks.enqueue_mariadb_shops import AsyncmyShop, AsyncSessionShop, PyMySQLShop, SessionShop
from benchmarks.enqueue_sync import SyncSides
from benchmarks.figures import Result, figure, ratio, worst
from benchmarks.ours import defaults
from benchmarks.rig import rig
from benchmarks.rounds import Options, interleave
from benchmarks.shop_mariadb import fill, prepare
from outrider.runtime.mysql_url import server_of

NAMESPACE: Final = "bench"
KINDS: Final = ("plain", "add", "insert")


def run(options: Options) -> Result:
    """Measure. The log holds `options.messages` rows before the first round."""
    with rig() as made, asyncio.Runner() as runner:
        database = made.mariadb.create_database("enqueue")
        prepare(database, subscribed=True)
        fill(database, NAMESPACE, options.messages)
        libraries = _libraries(runner, database, count(options.messages))
        samples = _measure(libraries, options)
    found = {name: ratio(samples, f"{name}.add", f"{name}.insert") for name in libraries}
    name, greatest = worst(found)
    notes: dict[str, Any] = {"worst": name} | {each: round(value.median, 3) for each, value in found.items()}
    over_plain = {each: round(ratio(samples, f"{each}.add", f"{each}.plain").median, 3) for each in libraries}
    microseconds = {f"{name}_us": figure(values) for name, values in samples.items()}
    return Result(
        {"add_vs_bare_insert": greatest},
        microseconds,
        defaults(),
        {"add_vs_bare_insert": notes, "add_vs_plain": over_plain},
    )


def _libraries(runner: asyncio.Runner, database: str, numbers: Iterator[int]) -> dict[str, Sides]:
    connected = runner.run(_connected(database))
    return {
        "pymysql": SyncSides(PyMySQLShop(database), NAMESPACE, numbers),
        "asyncmy": AsyncSides(runner, AsyncmyShop(connected), NAMESPACE, numbers),
        "session": SyncSides(SessionShop(database), NAMESPACE, numbers),
        "async_session": AsyncSides(runner, AsyncSessionShop(database), NAMESPACE, numbers),
    }


async def _connected(database: str) -> Any:  # noqa: ANN401 - a Connection of asyncmy
    return await asyncmy.connect(**server_of(database), charset="utf8mb4")


def _measure(libraries: dict[str, Sides], options: Options) -> dict[str, list[float]]:
    """Microseconds a transaction, by `library.kind`; the kinds take turns in small blocks."""
    samples: dict[str, list[float]] = {f"{name}.{kind}": [] for name in libraries for kind in KINDS}
    turns = max(1, options.messages // SHARE // BLOCK)

    def side(name: str) -> float:
        spent = dict.fromkeys(KINDS, 0.0)
        for _ in range(turns):
            for kind in KINDS:
                spent[kind] += libraries[name].block(kind, BLOCK)
        for kind, seconds in spent.items():
            samples[f"{name}.{kind}"].append(seconds / turns / BLOCK * 1e6)
        return sum(spent.values())

    interleave({name: lambda name=name: side(name) for name in libraries}, options.rounds)  # type: ignore[misc]
    return {name: values[1:] for name, values in samples.items()}  # without the warm-up
