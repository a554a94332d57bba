"""Draining the same number of messages: peers' workers at their best settings, our relay, our consumer on the log."""

from functools import partial
from importlib import import_module
from typing import Any

from benchmarks.figures import Figure, Result, figure, ratio
from benchmarks.machine import versions
from benchmarks.ours import NULL_BROKER, defaults, prepare_database, rewind
from benchmarks.rig import Rig, rig
from benchmarks.rounds import Options, Side, interleave, progress
from benchmarks.shop import fill

NAMESPACE = "bench"
PEERS = {"faststream_outbox": "faststream-outbox", "pgqueuer": "pgqueuer", "procrastinate": "procrastinate"}
OURS = ("relay", "handler")
ROUND_SECONDS = 30.0
"""A peer that is not through its messages by then is stopped, and its rate until then counts."""
TRIAL_SECONDS = 10.0


class Peer:
    """One peer, its filled database, and the best of its candidate settings."""

    def __init__(self, made: Rig, name: str, options: Options) -> None:
        self._rig, self._module, self._options = made, f"peer_{name}", options
        self._filled = f"filled_{name}"
        self._count = 0
        database = made.postgres.create_database(self._filled)
        with made.running_part(self._module, database=database, fill=options.messages) as part:
            part.answer()
        self.trials: list[dict[str, Any]] = []
        self.best = self._try_all(import_module(f"benchmarks.{self._module}").CANDIDATES)

    def drain(self, settings: dict[str, Any], seconds: float) -> float:
        """Messages a second of one worker on a fresh copy of the filled database."""
        self._count += 1
        name = f"{self._module}_{self._count}"
        database = self._rig.postgres.create_database(name, self._filled)
        with self._rig.running_part(
            self._module, database=database, messages=self._options.messages, seconds=seconds, settings=settings
        ) as part:
            rate = float(part.answer()["rate"])
        self._rig.postgres.drop_database(name)
        return rate

    def side(self) -> float:
        """A round of this peer."""
        return self.drain(self.best, ROUND_SECONDS)

    def _try_all(self, candidates: list[dict[str, Any]]) -> dict[str, Any]:
        for settings in candidates:
            progress(f"trying {self._module} with {settings}")
            self.trials.append({"rate": round(self.drain(settings, TRIAL_SECONDS)), **settings})
        rates = [trial["rate"] for trial in self.trials]
        return candidates[rates.index(max(rates))]


def run(options: Options) -> Result:
    """Measure."""
    keys = {f"{ours}_vs_{name}": (ours, name) for name in PEERS for ours in OURS}
    keys = {key: pair for key, pair in keys.items() if options.wants(key)}
    with rig() as made:
        peers = {name: Peer(made, name, options) for name in PEERS if name in {pair[1] for pair in keys.values()}}
        database = made.database("ours")
        prepare_database(database)
        fill(database, NAMESPACE, options.messages)
        sides: dict[str, Side] = {
            "relay": partial(_relay, made, database, options.messages),
            "handler": partial(_handler, made, database, options.messages),
        }
        sides = {name: side for name, side in sides.items() if name in {pair[0] for pair in keys.values()}}
        samples = interleave(sides | {name: peer.side for name, peer in peers.items()}, options.rounds, warm_up=False)
    figures: dict[str, Figure] = {key: ratio(samples, *pair) for key, pair in keys.items()}
    settings = defaults() | {name: peer.best for name, peer in peers.items()} | versions(*PEERS.values())
    trials = {f"trials of {name}": peer.trials for name, peer in peers.items()}
    notes = {"round_seconds_of_a_peer_at_most": ROUND_SECONDS} | trials
    return Result(figures, {f"{name}_per_s": figure(values) for name, values in samples.items()}, settings, notes)


def _relay(made: Rig, database: str, messages: int) -> float:
    rewind(database)
    with made.running_part(
        "relay_process", database=database, namespace=NAMESPACE, broker=NULL_BROKER, messages=messages
    ) as part:
        return float(part.answer()["rate"])


def _handler(made: Rig, database: str, messages: int) -> float:
    rewind(database)
    with made.running_part(
        "handler_process", database=database, namespace=NAMESPACE, broker="log:", effect="none", messages=messages
    ) as part:
        part.answer()  # it serves
        return float(part.answer()["rate"])
