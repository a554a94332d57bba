"""The relay: what it reads against COPY, what it publishes against a bare produce loop, and what it uses."""

from collections.abc import Callable
from pathlib import Path

from benchmarks import shop_sqlite
from benchmarks.baselines import copy_out, keyset_read
from benchmarks.figures import Figure, Result, figure, ratio
from benchmarks.ours import NULL_BROKER, defaults, prepare_database, rewind, settings
from benchmarks.produce_process import client_settings
from benchmarks.read_log import read_all
from benchmarks.rig import Rig, rig
from benchmarks.rounds import Options, Side, interleave
from benchmarks.shop import fill

NAMESPACE = "bench"
MILLION = 5
"""`rss_mb` is taken with so many times the data set pending: a million by default."""

RATIOS = {
    "read_vs_copy": ("read", "copy"),
    "null_vs_copy": ("null", "copy"),
    "kafka_vs_produce": ("kafka", "produce"),
    "transactional_vs_produce": ("transactional", "produce"),
    "sqlite_vs_read": ("sqlite", "sqlite_read"),
}


class Bench:
    """The sides, each one run over a log of its own data set."""

    def __init__(self, made: Rig, options: Options) -> None:
        self._rig, self._options = made, options
        self._used: list[dict[str, float]] = []
        self._database = made.database("relay")
        prepare_database(self._database)
        fill(self._database, NAMESPACE, options.messages)

    def sides(self) -> dict[str, Side]:
        """Those that the wanted figures need, in the order of a round."""
        every: dict[str, Side] = {
            "read": lambda: read_all(self._database, NAMESPACE),
            "copy": lambda: copy_out(self._database),
            "null": lambda: self._relay(NULL_BROKER),
            "produce": self._produce,
            "kafka": self._to_kafka,
            "transactional": lambda: self._relay(self._kafka_url(), transactional=True),
            "sqlite": self._sqlite,
            "sqlite_read": lambda: keyset_read(str(self._sqlite_path()), settings(self._database).relay.batch_size),
        }
        wanted = {side for key, pair in RATIOS.items() if self._options.wants(key) for side in pair}
        wanted |= {"kafka"} if self._options.wants("cpu_s_per_100k") else set()
        return {name: side for name, side in every.items() if name in wanted}

    def cpu(self) -> Figure:
        """CPU seconds of the relay process to Kafka for 100,000 messages, of the rounds that count."""
        return figure([used["cpu_s_per_100k"] for used in self._used[1:]])

    def memory(self) -> Figure:
        """The most memory of a relay process to Kafka with a million pending, in MiB; one run, for it does not vary."""
        database = self._rig.database("million")
        prepare_database(database)
        fill(database, NAMESPACE, self._options.messages * MILLION)
        return figure([self._drain(database, self._kafka_url(), self._options.messages * MILLION)["rss_mb"]])

    def _relay(self, broker: str, *, transactional: bool = False) -> float:
        rewind(self._database)
        return self._drain(self._database, broker, self._options.messages, transactional=transactional)["rate"]

    def _to_kafka(self) -> float:
        rewind(self._database)
        used = self._drain(self._database, self._kafka_url(), self._options.messages)
        self._used.append(used)
        return used["rate"]

    def _drain(self, database: str, broker: str, messages: int, *, transactional: bool = False) -> dict[str, float]:
        with self._rig.running_part(
            "relay_process", database=database, namespace=NAMESPACE, broker=broker, messages=messages,
            transactional=transactional,
        ) as part:  # fmt: skip
            return part.answer()

    def _produce(self) -> float:
        topic = self._topic()
        with self._rig.running_part(
            "produce_process", bootstrap_servers=self._rig.kafka.bootstrap_servers, topic=topic, namespace=NAMESPACE,
            messages=self._options.messages,
        ) as part:  # fmt: skip
            return float(part.answer()["rate"])

    def _kafka_url(self) -> str:
        self._topic()
        return self._rig.kafka.url

    def _topic(self) -> str:
        return self._rig.topic(NAMESPACE)

    def _sqlite(self) -> float:
        shop_sqlite.rewind(self._sqlite_path())
        found = self._drain(shop_sqlite.url(self._sqlite_path()), NULL_BROKER, self._options.messages)
        return found["rate"]

    def _sqlite_path(self) -> Path:
        path = self._rig.folder / "shop.db"
        return path if path.exists() else shop_sqlite.fill(self._rig.folder, NAMESPACE, self._options.messages)


def run(options: Options) -> Result:
    """Measure."""
    with rig() as made:
        bench = Bench(made, options)
        samples = interleave(bench.sides(), options.rounds)
        figures = {key: ratio(samples, *pair) for key, pair in RATIOS.items() if options.wants(key)}
        single: dict[str, Callable[[], Figure]] = {"cpu_s_per_100k": bench.cpu, "rss_mb": bench.memory}
        figures |= {key: take() for key, take in single.items() if options.wants(key)}
        client = {name: value for name, value in client_settings("127.0.0.1").items() if name != "bootstrap.servers"}
        sides = {f"{name}_per_s": figure(values) for name, values in samples.items()}
    return Result(figures, sides, defaults(kafka_client=client), {})
