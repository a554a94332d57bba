"""What size does: a million pending, an old snapshot held open, a late commit below two million rows, a parked hot key;
and what the indexes of `migrate --search` add to an add.

Every drain is timed from the first `BatchRead` to the last `CursorAdvanced`, by a relay to the null publisher.
"""

import time
from itertools import count

import psycopg

from benchmarks import growth_rows
from benchmarks.enqueue import BLOCK, SHARE
from benchmarks.enqueue_sync import PsycopgShop, SyncSides
from benchmarks.figures import Figure, Result, figure, ratio
from benchmarks.ours import NULL_BROKER, defaults, prepare_database, rewind, settings
from benchmarks.read_log import read_again
from benchmarks.rig import Rig, rig
from benchmarks.rounds import Options, interleave, progress
from benchmarks.shop import PREFIX, TABLE, fill
from outrider.bootstrap.migrations import make_search

NAMESPACE = "bench"
MILLION, SMALL = 5, 20
"""The larger log holds `messages` times 5 (a million), the smaller a 20th of them (10,000), drained 5 times a round."""
SMALL_DRAINS = 5
LATE_BELOW = 10
HELD_SECONDS = 60.0


class Bench:
    """The databases and what is measured on them."""

    def __init__(self, made: Rig, options: Options) -> None:
        self._rig, self._options = made, options

    def million_vs_10k(self) -> dict[str, list[float]]:
        """Rates with a million and with 10,000 pending."""
        many, few = self._options.messages * MILLION, max(500, self._options.messages // SMALL)
        large, small = self._filled("million", many), self._filled("small", few)

        def drain_small() -> float:
            return sorted(self._drained_anew(small, few) for _ in range(SMALL_DRAINS))[SMALL_DRAINS // 2]

        return interleave(
            {"million": lambda: self._drained_anew(large, many), "10k": drain_small}, self._options.rounds
        )

    def held_snapshot(self) -> dict[str, list[float]]:
        """Rates with a snapshot held open, and without; both logs had the same steady load before."""
        names = {"held": self._filled("held", 0), "free": self._filled("free", 0)}
        with psycopg.connect(names["held"]) as holder:
            holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            holder.execute(f"SELECT count(*) FROM {TABLE}")
            passed = {name: self._steady(database) for name, database in names.items()}

            def drain_more(name: str) -> float:
                fill(names[name], NAMESPACE, self._options.messages)
                return self._drain(names[name], self._options.messages)

            progress(f"after a steady load of {passed}")
            samples = interleave(
                {"held": lambda: drain_more("held"), "free": lambda: drain_more("free")}, self._options.rounds
            )
            holder.rollback()
        return samples

    def late_commit(self) -> Figure:
        """Milliseconds of reading a batch that is one late row below two million delivered ones."""
        database = self._filled("late", 0)
        with psycopg.connect(database) as late:
            growth_rows.add_one(late, NAMESPACE)
            fill(database, NAMESPACE, self._options.messages * LATE_BELOW)
            with psycopg.connect(database) as look:
                row = look.execute(f"SELECT CAST(pg_current_snapshot() AS text), max(id) FROM {TABLE}").fetchone()
            assert row is not None
            late.commit()
        done, last_id = row
        seconds = read_again(database, NAMESPACE, done, last_id, rows=1, times=self._options.rounds * 2)
        return figure([each * 1000 for each in seconds])

    def hot_key(self) -> dict[str, list[float]]:
        """The others' rates without and with a data set parked behind one key."""
        others = self._options.messages
        names = {"free": self._filled("cold", others), "parked": self._filled("hot", 0)}
        last = growth_rows.park_hot_key(names["parked"], NAMESPACE, self._options.messages)
        fill(names["parked"], NAMESPACE, others)

        def without() -> float:
            return self._drained_anew(names["free"], others)

        def with_parked() -> float:
            growth_rows.rewind_to(names["parked"], last)
            return self._drain(names["parked"], others)

        return interleave({"without": without, "parked": with_parked}, self._options.rounds)

    def search_index_cost(self) -> dict[str, list[float]]:
        """Microseconds of a business transaction with `add`, with the indexes of `migrate --search` and without."""
        names = {"plain": "unsearched", "searched": "searched"}
        sides: dict[str, SyncSides[psycopg.Connection]] = {}
        for side, name in names.items():
            database = self._filled(name, self._options.messages)
            if side == "searched":
                make_search(settings(database), PREFIX)
            sides[side] = SyncSides(PsycopgShop(database), NAMESPACE, count(self._options.messages))
        turns = max(1, self._options.messages // SHARE // BLOCK)

        def adding() -> float:
            spent = dict.fromkeys(sides, 0.0)
            for _ in range(turns):
                for name, side in sides.items():
                    spent[name] += side.block("add", BLOCK)
            for name, seconds in spent.items():
                samples[name].append(seconds / turns / BLOCK * 1e6)
            return sum(spent.values())

        samples: dict[str, list[float]] = {name: [] for name in sides}
        interleave({"adding": adding}, self._options.rounds)
        return {name: values[1:] for name, values in samples.items()}  # without the warm-up

    def _filled(self, name: str, messages: int) -> str:
        database = self._rig.database(name)
        prepare_database(database)
        if messages:
            fill(database, NAMESPACE, messages)
        return database

    def _drained_anew(self, database: str, messages: int) -> float:
        rewind(database)
        return self._drain(database, messages)

    def _drain(self, database: str, messages: int) -> float:
        with self._rig.running_part(
            "relay_process", database=database, namespace=NAMESPACE, broker=NULL_BROKER, messages=messages
        ) as part:
            return float(part.answer()["rate"])

    def _steady(self, database: str) -> int:
        """A relay under a load of some 500 messages a second for a minute; how many went by."""
        added = 0
        with self._rig.running_part(
            "relay_process", database=database, namespace=NAMESPACE, broker=NULL_BROKER, messages=0
        ) as relay:
            relay.answer()
            deadline = time.monotonic() + HELD_SECONDS
            with psycopg.connect(database, autocommit=True) as connection:
                while time.monotonic() < deadline:
                    growth_rows.add_one(connection, NAMESPACE)
                    added += 1
                    time.sleep(0.002)
            growth_rows.await_passed(database, added)
        return added


def run(options: Options) -> Result:
    """Measure."""
    figures: dict[str, Figure] = {}
    samples: dict[str, list[float]] = {}
    with rig() as made:
        bench = Bench(made, options)
        if options.wants("million_vs_10k"):
            samples |= (found := bench.million_vs_10k())
            figures["million_vs_10k"] = ratio(found, "million", "10k")
        if options.wants("held_snapshot"):
            samples |= (found := bench.held_snapshot())
            figures["held_snapshot"] = ratio(found, "held", "free")
        if options.wants("late_commit_ms"):
            figures["late_commit_ms"] = bench.late_commit()
        if options.wants("hot_key_slowdown"):
            samples |= (found := bench.hot_key())
            figures["hot_key_slowdown"] = ratio(found, "without", "parked")
        sides = {f"{name}_per_s": figure(values) for name, values in samples.items()}
        if options.wants("search_index_cost"):
            found = bench.search_index_cost()
            sides |= {f"{name}_us": figure(values) for name, values in found.items()}
            figures["search_index_cost"] = ratio(found, "searched", "plain")
    return Result(figures, sides, defaults(), {"held_seconds": HELD_SECONDS})
