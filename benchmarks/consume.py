"""Kafka to one INSERT each: our consumer with receipts over a bare loop that makes the same INSERTs in the same batches."""

from itertools import count

import psycopg

from benchmarks.figures import Result, figure, ratio
from benchmarks.ours import defaults, prepare_database
from benchmarks.rig import Rig, rig
from benchmarks.rounds import Options, interleave
from benchmarks.shop import PREFIX, fill

NAMESPACE = "bench"
MOVING = ("effect", f"{PREFIX}inbox_receipt", f"{PREFIX}inbox_key")


class Bench:
    """A topic that our relay filled, read from its beginning by a new group each time."""

    def __init__(self, made: Rig, options: Options) -> None:
        self._rig, self._messages = made, options.messages
        self._numbers = count(1)
        self._database = made.database("consume")
        prepare_database(self._database)
        fill(self._database, NAMESPACE, options.messages)
        self._topic = made.topic(NAMESPACE)
        with made.running_part(
            "relay_process",
            database=self._database,
            namespace=NAMESPACE,
            broker=made.kafka.url,
            messages=options.messages,
        ) as part:
            part.answer()

    def batched(self) -> float:
        """Our consumer."""
        self._clear()
        self._rig.forget_groups()
        with self._rig.running_part(
            "handler_process", database=self._database, namespace=NAMESPACE, broker=self._rig.kafka.url,
            effect="insert", messages=self._messages,
        ) as part:  # fmt: skip
            part.answer()
            return float(part.answer()["rate"])

    def bare(self) -> float:
        """The bare loop."""
        self._clear()
        with self._rig.running_part(
            "consume_process", database=self._database, bootstrap_servers=self._rig.kafka.bootstrap_servers,
            topic=self._topic, group=f"bare-{next(self._numbers)}", messages=self._messages,
        ) as part:  # fmt: skip
            return float(part.answer()["rate"])

    def _clear(self) -> None:
        with psycopg.connect(self._database, autocommit=True) as connection:
            for table in MOVING:
                connection.execute(f"TRUNCATE {table}")
            connection.execute("CHECKPOINT")


def run(options: Options) -> Result:
    """Measure."""
    with rig() as made:
        bench = Bench(made, options)
        samples = interleave({"batched": bench.batched, "bare": bench.bare}, options.rounds)
    sides = {f"{name}_per_s": figure(values) for name, values in samples.items()}
    return Result({"batched_vs_bare": ratio(samples, "batched", "bare")}, sides, defaults(), {})
