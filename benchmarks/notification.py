"""The notifier: in-app records end to end over a bare loop that writes the same rows; webhooks at their rates."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import psycopg

from benchmarks.figures import Figure, Result, figure, ratio
from benchmarks.inapp_process import POSITION
from benchmarks.notices import fill, prepare, settings
from benchmarks.rig import Rig, rig
from benchmarks.rounds import Options, interleave
from benchmarks.webhooks import A_SECOND, DESTINATIONS, SECONDS, SENDERS, Webhooks

TEMPLATE = "notices"


class Inapp:
    """A database full of requests, copied for each side and round."""

    def __init__(self, made: Rig, options: Options) -> None:
        self._rig, self._messages = made, options.messages
        self._numbers = count(1)
        template = made.postgres.create_database(TEMPLATE)
        prepare(template)
        fill(template, options.messages)
        self._batch = settings(template).consumer.batch_size

    def ours(self) -> float:
        """Accepted by the notifier's consumer."""
        with self._database() as database:
            return self._rate("accept_process", database=database, messages=self._messages)

    def bare(self) -> float:
        """Written by the bare loop."""
        with self._database() as database, psycopg.connect(database, autocommit=True) as connection:
            connection.execute(POSITION)
            connection.execute("INSERT INTO notification_inbox_consumer (id, name) VALUES (1, 'bare')")
            return self._rate("inapp_process", database=database, messages=self._messages, batch=self._batch)

    def _rate(self, module: str, **arguments: object) -> float:
        with self._rig.running_part(module, **arguments) as part:
            return float(part.answer()["rate"])

    @contextmanager
    def _database(self) -> Iterator[str]:
        url = self._rig.postgres.create_database(f"notices_{next(self._numbers)}", TEMPLATE)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        yield url


def run(options: Options) -> Result:
    """Measure."""
    figures: dict[str, Figure] = {}
    sides: dict[str, Figure] = {}
    with rig() as made:
        if options.wants("inapp_vs_bare"):
            inapp = Inapp(made, options)
            samples = interleave({"inapp": inapp.ours, "bare": inapp.bare}, options.rounds)
            figures["inapp_vs_bare"] = ratio(samples, "inapp", "bare")
            sides = {f"{name}_per_s": figure(values) for name, values in samples.items()}
        if options.wants("rate_used", "rate_exceeded"):
            rounds = [Webhooks(made, number).measure() for number in range(options.rounds)]
            figures |= {name: figure([one[name] for one in rounds]) for name in ("rate_used", "rate_exceeded")}
    notes = {"webhooks": f"{DESTINATIONS} destinations at {A_SECOND}/s, {SENDERS} senders, {SECONDS:g} s a round"}
    return Result(figures, sides, {}, notes)
