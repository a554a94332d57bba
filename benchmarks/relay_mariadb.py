"""The relay on MariaDB: to the null publisher over a bare keyset read, to Kafka over a bare produce loop, its memory."""

import asyncio
import time
from typing import Any, Final

import asyncmy

from benchmarks.figures import Figure, Result, figure, ratio
from benchmarks.ours import NULL_BROKER, defaults, settings
from benchmarks.relay import MILLION, NAMESPACE
from benchmarks.rig import Rig, rig
from benchmarks.rounds import Options, Side, interleave
from benchmarks.shop import STORED, TABLE
from benchmarks.shop_mariadb import fill, prepare, rewind
from outrider.runtime.mysql_url import server_of

RATIOS: Final = {"mariadb_vs_read": ("null", "read"), "kafka_vs_produce": ("kafka", "produce")}


class Bench:
    """The sides, each one run over a log of its own data set."""

    def __init__(self, made: Rig, options: Options) -> None:
        self._rig, self._options = made, options
        self._database = self._filled("relay", options.messages)

    def sides(self) -> dict[str, Side]:
        """Those that the wanted figures need, in the order of a round."""
        every: dict[str, Side] = {
            "read": lambda: keyset_read(self._database),
            "null": lambda: self._relay(NULL_BROKER),
            "produce": self._produce,
            "kafka": lambda: self._relay(self._kafka_url()),
        }
        wanted = {side for key, pair in RATIOS.items() if self._options.wants(key) for side in pair}
        return {name: side for name, side in every.items() if name in wanted}

    def memory(self) -> Figure:
        """The most memory of a relay process to Kafka with a million pending, in MiB; one run, for it does not vary."""
        messages = self._options.messages * MILLION
        return figure([self._drain(self._filled("million", messages), self._kafka_url(), messages)["rss_mb"]])

    def _filled(self, name: str, messages: int) -> str:
        database = self._rig.mariadb.create_database(name)
        prepare(database, subscribed=False)
        fill(database, NAMESPACE, messages)
        return database

    def _relay(self, broker: str) -> float:
        rewind(self._database)
        return self._drain(self._database, broker, self._options.messages)["rate"]

    def _drain(self, database: str, broker: str, messages: int) -> dict[str, float]:
        with self._rig.running_part(
            "relay_process", database=database, namespace=NAMESPACE, broker=broker, messages=messages
        ) as part:
            return part.answer()

    def _produce(self) -> float:
        with self._rig.running_part(
            "produce_process", bootstrap_servers=self._rig.kafka.bootstrap_servers, topic=self._rig.topic(NAMESPACE),
            namespace=NAMESPACE, messages=self._options.messages,
        ) as part:  # fmt: skip
            return float(part.answer()["rate"])

    def _kafka_url(self) -> str:
        self._rig.topic(NAMESPACE)
        return self._rig.kafka.url


def keyset_read(database: str) -> float:
    """Rows a second of `id > %s ORDER BY id LIMIT n` in the shipped batch size, as asyncmy gives them."""
    return asyncio.run(_keyset_read(database, settings(database).relay.batch_size))


async def _keyset_read(database: str, batch: int) -> float:
    connection: Any = await asyncmy.connect(**server_of(database), charset="utf8mb4")
    query = f"SELECT {STORED} FROM {TABLE} WHERE id > %s ORDER BY id LIMIT %s"
    last = rows = 0
    async with connection.cursor() as cursor:
        started = time.perf_counter()
        while await cursor.execute(query, (last, batch)):
            found = await cursor.fetchall()
            last = found[-1][0]
            rows += len(found)
        seconds = time.perf_counter() - started
    await connection.ensure_closed()
    return rows / seconds


def run(options: Options) -> Result:
    """Measure."""
    with rig() as made:
        bench = Bench(made, options)
        samples = interleave(bench.sides(), options.rounds)
        figures = {key: ratio(samples, *pair) for key, pair in RATIOS.items() if options.wants(key)}
        if options.wants("rss_mb"):
            figures["rss_mb"] = bench.memory()
        sides = {f"{name}_per_s": figure(values) for name, values in samples.items()}
    return Result(figures, sides, defaults(), {})
