"""From the return of commit to the handler's first line, or to the poll of a bare Kafka consumer; and what a relay costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from benchmarks.figures import Figure, Result, figure, percentile, ratio
from benchmarks.ours import NULL_BROKER, defaults, prepare_database
from benchmarks.rig import Part, Rig, rig
from benchmarks.rounds import Options, Side, interleave
from benchmarks.shop import fill

NAMESPACE = "bench"
SHARE = 500
"""A round measures `messages / SHARE` messages, 400 by default: gaps of 0.1 s on average make it last 41 s."""
WARM = 20
"""Messages at the beginning of a round that count for nothing."""
CLIENTS = 8
COMMIT_SECONDS = 5.0
PERCENTILES = {"p50_ms": 0.50, "p99_ms": 0.99}


class Bench:
    """Latencies of each round, in ms; each log holds a data set that its reader has behind it."""

    def __init__(self, made: Rig, options: Options) -> None:
        self._rig, self._messages = made, options.messages
        self._size = max(1, options.messages // SHARE)
        self._first = count(options.messages, self._size + WARM)
        self._databases: dict[str, str] = {}
        self._committing: list[Part] = []
        self.rounds: dict[str, list[list[float]]] = {"log": [], "kafka": []}

    def log(self) -> float:
        """To the first line of a handler that reads the log."""
        with self._rig.running_part(
            "handler_process", database=self._database("log"), namespace=NAMESPACE, broker="log:", effect="stamp",
            messages=self._size + WARM, start="now", notify=True,
        ) as handler:  # fmt: skip
            handler.answer()
            committed = self._produce("log")
            return self._note("log", committed, handler.answer()["stamps"])

    def kafka(self) -> float:
        """To the return of a bare Kafka consumer's poll, a relay between."""
        database = self._database("kafka")
        topic = self._rig.topic(NAMESPACE)
        with self._serving(database, self._rig.kafka.url), self._rig.running_part(
            "poll_process", bootstrap_servers=self._rig.kafka.bootstrap_servers, topic=topic, messages=self._size + WARM
        ) as consumer:  # fmt: skip
            consumer.answer()
            return self._note("kafka", self._produce("kafka"), consumer.answer())

    def with_relay(self) -> float:
        """Transactions a second of all committers, with wake-up and a relay to a null publisher."""
        with self._serving(self._database("with_relay"), NULL_BROKER):
            return self._commit("with_relay")

    def without_relay(self) -> float:
        """The same without any relay."""
        return self._commit("without_relay")

    def _commit(self, name: str) -> float:
        if not self._committing:
            databases = {name: self._database(name) for name in ("with_relay", "without_relay")}
            self._committing = [
                self._rig.part("commit_process", namespace=NAMESPACE, **databases) for _ in range(CLIENTS)
            ]
            for part in self._committing:
                part.answer()
        for part in self._committing:
            part.tell(f"{COMMIT_SECONDS} {name}")
        return float(sum(part.answer()["committed"] for part in self._committing) / COMMIT_SECONDS)

    @contextmanager
    def _serving(self, database: str, broker: str) -> Iterator[None]:
        with self._rig.running_part(
            "relay_process", database=database, namespace=NAMESPACE, broker=broker, messages=0, notify=True
        ) as relay:
            relay.answer()
            yield

    def _produce(self, name: str) -> dict[str, float]:
        first = next(self._first)
        with self._rig.running_part(
            "producer_process", database=self._database(name), namespace=NAMESPACE, messages=self._size + WARM,
            first=first, seed=first,
        ) as producer:  # fmt: skip
            return producer.answer()

    def _note(self, name: str, committed: dict[str, float], seen: dict[str, float]) -> float:
        waits = [(seen[order] - instant) * 1000 for order, instant in sorted(committed.items())[WARM:]]
        self.rounds[name].append(waits)
        return percentile(waits, 0.5)

    def _database(self, name: str) -> str:
        """The database of that name; its log is filled and its relay, where it has one, is through with it."""
        if name not in self._databases:
            database = self._databases[name] = self._rig.database(name)
            prepare_database(database)
            fill(database, NAMESPACE, self._messages)
            broker = {"kafka": self._rig.kafka.url if name == "kafka" else "", "with_relay": NULL_BROKER}.get(name)
            if name == "kafka":
                self._rig.topic(NAMESPACE)
            if broker:
                with self._rig.running_part(
                    "relay_process", database=database, namespace=NAMESPACE, broker=broker, messages=self._messages
                ) as part:
                    part.answer()
        return self._databases[name]


def run(options: Options) -> Result:
    """Measure."""
    figures: dict[str, Figure] = {}
    with rig() as made:
        bench = Bench(made, options)
        sides: dict[str, Side] = {}
        if options.wants(*PERCENTILES):
            sides["log"] = bench.log
        if options.wants(*(f"kafka_{key}" for key in PERCENTILES)):
            sides["kafka"] = bench.kafka
        samples = interleave(sides, options.rounds, warm_up=False)
        for name, prefix in (("log", ""), ("kafka", "kafka_")):
            for key, share in PERCENTILES.items():
                if options.wants(prefix + key):
                    figures[prefix + key] = figure([percentile(waits, share) for waits in bench.rounds[name]])
        if options.wants("commit_ratio_8_clients"):
            sides = {"with_relay": bench.with_relay, "without_relay": bench.without_relay}
            commits = interleave(sides, options.rounds)
            figures["commit_ratio_8_clients"] = ratio(commits, "with_relay", "without_relay")
            samples |= commits
    measured = {
        f"{name}_p50_ms" if name in bench.rounds else f"{name}_per_s": values for name, values in samples.items()
    }
    notes = {"measured_messages_a_round": max(1, options.messages // SHARE), "commit_seconds": COMMIT_SECONDS}
    return Result(
        figures, {name: figure(values) for name, values in measured.items()}, defaults(wakeup__notify=True), notes
    )
