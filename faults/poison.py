"""Poison: messages that kill whoever has them in hand, never get an answer, are refused, or cannot be read.

Each must end set aside with its reason, and all others go on. The hooks that kill live here, in the processes of the
campaign: a publisher and a handler that look at the body. Source: hazards H45, H46; OB-36, OB-40, OB-64.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import psycopg

from faults.campaign import SETTLE_SECONDS, Stuck
from faults.options import Options
from faults.rig import Rig
from faults.shop import TYPE, Cell, catalog
from outrider import Message, Outbox
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow
from outrider.core.outcome import Published, PublishOutcome, Refusal, Refused, Unknown
from outrider.ports.broker import Publisher
from outrider.testing.faults import Board, Victim

CELL = "poison"
LEASE_SECONDS = 1.0
GRACE_SECONDS = 5.0
KEYS = 200
STANDING = 4
KINDS = ("kills_relay", "garbled", "unanswered", "kills_consumer", "refused")
"""In this order, so that what each disturbs is over when the next one comes."""
POISON = b'"poison":"'
SPACING_SECONDS = 7.0
SET_ASIDE_SECONDS = 90.0
TABLES = (
    "CREATE TABLE added (message_id uuid PRIMARY KEY, number int NOT NULL, kind text NOT NULL, at timestamptz NOT NULL)",
    "CREATE TABLE arrived (message_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())",
)
ENDS = {
    "kills_relay": ("shop_outbox_delivery", "dead", "suspect.crash"),
    "garbled": ("billing_inbox_delivery", "quarantined", "body.invalid"),
    "unanswered": ("shop_outbox_delivery", "retrying", "suspect.unknown"),
    "kills_consumer": ("billing_inbox_delivery", "dead", "suspect.crash"),
    "refused": ("shop_outbox_delivery", "dead", "publish.refused"),
}
"""Where each kind must end: table, status, code."""


def kind_of(body: bytes) -> str:
    """The kind of poison that a body is, empty for none."""
    _, found, rest = body.partition(POISON)
    return rest.partition(b'"')[0].decode() if found else ""


class PoisonPublisher:
    """A publisher that dies of some messages, has no answer to others, and refuses a third kind."""

    def __init__(self, inner: Publisher) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the publisher's own
        return getattr(self._inner, name)

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:
        """As the publisher, with the poison's own outcomes."""
        kinds = {index: kind for index, row in enumerate(rows) if (kind := kind_of(row[4]))}
        if "kills_relay" in kinds.values():
            os.kill(os.getpid(), signal.SIGKILL)
        own: dict[int, PublishOutcome] = {}
        for index, kind in kinds.items():
            if kind == "unanswered":
                own[index] = Unknown("publish.timeout", "no answer came")
            elif kind == "refused":
                own[index] = Refused(Refusal.PERMANENT, "publish.refused", "the destination will never take it")
        places = [index for index in range(len(rows)) if index not in own]
        started = time.monotonic()
        if places:
            published = await self._inner.publish([rows[index] for index in places], deadline_seconds, urgent=urgent)
            own |= {places[index]: outcome for index, outcome in published.exceptions.items()}
        if "unanswered" in kinds.values():
            await asyncio.sleep(max(0.0, deadline_seconds - (time.monotonic() - started)))
        return Published(own)


def poisoned(publishers: Callable[[LaneKey], Publisher]) -> Callable[[LaneKey], Any]:
    """The same publishers, with the hook."""
    return lambda lane: PoisonPublisher(publishers(lane))


def handle(event: dict[str, Any], tx: Any, context: Any) -> None:  # noqa: ANN401 - SQLAlchemy's connection
    """Note the arrival, or die."""
    if event.get("poison") == "kills_consumer":
        os.kill(os.getpid(), signal.SIGKILL)
    tx.exec_driver_sql("INSERT INTO arrived (message_id) VALUES (%s)", (context.message.message_id,))


@dataclass
class Load:
    """Adds messages at a steady rate, one in `spacing` poison."""

    cell: Cell
    board: Board
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Add all, then end."""
        outbox, spacing = Outbox(catalog(CELL), "shop"), int(self.cell.seconds)
        began = time.monotonic()
        with psycopg.connect(self.cell.database, autocommit=True) as connection:
            for number in range(self.cell.messages):
                if self.stopped.wait(max(0.0, began + number / self.cell.rate - time.monotonic())):
                    return
                nth = number // spacing - 1 if number % spacing == 0 else -1
                kind = KINDS[nth % len(KINDS)] if 0 <= nth < self.cell.keys else ""
                with connection.transaction():
                    (added,) = outbox.add(connection, _message(number, kind))
                    connection.execute(
                        "INSERT INTO added VALUES (%s, %s, %s, clock_timestamp())", (added.message_id, number, kind)
                    )
                self.board.settle(number + 1)


def _message(number: int, kind: str) -> Message:
    if kind == "garbled":
        return Message(TYPE, b'{"poison":"garbled", ', key=f"poison-{number}", content_type="application/json")
    key = f"poison-{number}" if kind else f"customer-{number % KEYS}"
    return Message(TYPE, {"number": number} | ({"poison": kind} if kind else {}), key=key)


class Keeper:
    """Keeps processes of a role alive, as a supervisor would; so many that what takes over has long started."""

    def __init__(self, rig: Rig, role: str, cell: Cell) -> None:
        self._spawn = partial(rig.spawn, role, CELL, cell)
        self._victims = [self._spawn(number) for number in range(STANDING)]
        self.deaths = 0

    def look(self) -> None:
        """Start anew what died."""
        for place, victim in enumerate(self._victims):
            if not victim.running:
                self.deaths += 1
                self._victims[place] = self._spawn(STANDING + self.deaths)

    def await_ready(self) -> None:
        """Wait until all work."""
        for victim in self._victims:
            if not victim.await_ready(SETTLE_SECONDS):
                raise Stuck(victim.log_tail())

    def stop(self) -> None:
        """End them gently."""
        for victim in self._victims:
            victim.stop()


def poison(rig: Rig, options: Options, tick: Callable[[], None]) -> dict[str, Any]:
    """Poison of five kinds among healthy messages; `kills` of each kind."""
    each = options.kills
    spacing = max(20, options.messages // (4 * each))
    made = rig.cell(CELL, lease_seconds=LEASE_SECONDS, seed=options.seed)
    with psycopg.connect(made.database, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(table.encode())
    state = rig.folder / "one-host"
    state.mkdir()
    cell = replace(made, state_dir=str(state))
    relays, consumers = Keeper(rig, "poisoned-relay", cell), Keeper(rig, "poisoned-consume", cell)
    relays.await_ready()
    consumers.await_ready()
    total = (len(KINDS) * each + 1) * spacing
    rate = max(20.0, spacing / SPACING_SECONDS)
    loading = replace(cell, messages=total, seconds=float(spacing), keys=len(KINDS) * each, rate=rate)
    load = rig.spawn("poison-load", CELL, loading)
    _watch(load, [relays, consumers], made.database, len(KINDS) * each, tick)
    figures = _verdict(made.database, len(KINDS) * each)
    for keeper in (consumers, relays):
        keeper.stop()
    return {
        "kills": options.kills, "lease_s": LEASE_SECONDS, "publish_timeout_s": round(LEASE_SECONDS / 3, 2),
        "kafka_session_s": LEASE_SECONDS, "spacing": spacing, "relay_deaths": relays.deaths,
        "consumer_deaths": consumers.deaths, **figures, "bound_s": LEASE_SECONDS + GRACE_SECONDS,
    }  # fmt: skip


def _watch(load: Victim, keepers: list[Keeper], database: str, poisons: int, tick: Callable[[], None]) -> None:
    """Keep processes alive until all is added, all that is healthy has arrived, and all poison is set aside."""
    deadline: float | None = None
    looked_at = time.monotonic()
    while True:
        for keeper in keepers:
            keeper.look()
        time.sleep(0.02)
        if time.monotonic() - looked_at < 1.0 or load.running:
            continue
        looked_at = time.monotonic()
        deadline = deadline or looked_at + SET_ASIDE_SECONDS
        figures = _verdict(database, poisons)
        if looked_at > deadline or (figures["lost"] == 0 and figures["set_aside"] == poisons):
            break
    for _ in range(poisons):
        tick()


def _verdict(database: str, poisons: int) -> dict[str, Any]:
    with psycopg.connect(database) as connection:
        lost = _one(connection, LOST)
        doubled = _one(connection, "SELECT count(*) - count(DISTINCT message_id) FROM arrived")
        innocents = sum(
            _one(
                connection,
                f"SELECT count(*) FROM {table} JOIN added USING (message_id)"
                " WHERE kind = '' AND status IN ('dead', 'quarantined')",
            )
            for table in ("shop_outbox_delivery", "billing_inbox_delivery")
        )
        ended = {
            kind: _one(
                connection,
                f"SELECT count(*) FROM {table} JOIN added USING (message_id)"
                f" WHERE kind = '{kind}' AND status = '{status}' AND error_code = '{code}'",
            )
            for kind, (table, status, code) in ENDS.items()
        }
        late: dict[str, Any] = dict(connection.execute(LATE).fetchall())
    worst = {kind: round(float(late.get(kind) or 0), 2) for kind in KINDS}
    return {
        "committed": _added(database), "poisons": poisons, "set_aside": sum(ended.values()), "set_aside_by_kind": ended,
        "others_late_s": worst, "others_late_worst_s": max(worst.values()), "lost": lost, "doubled_effects": doubled,
        "innocents_dead": innocents,
    }  # fmt: skip


LATE = """WITH poison AS (SELECT number, kind, lead(number) OVER (ORDER BY number) AS next FROM added WHERE kind <> '')
SELECT poison.kind, max(extract(epoch FROM arrived.at - added.at))
FROM poison JOIN added ON added.kind = '' AND added.number > poison.number
    AND (poison.next IS NULL OR added.number < poison.next)
JOIN arrived USING (message_id) GROUP BY poison.kind"""
"""How late a healthy message arrived at most, by the kind of the last poison before it."""


LOST = "SELECT count(*) FROM added WHERE kind = '' AND message_id NOT IN (SELECT message_id FROM arrived)"


def _added(database: str) -> int:
    with psycopg.connect(database) as connection:
        return _one(connection, "SELECT count(*) FROM added")


def _one(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])
