"""Poison: messages that kill whoever has them in hand, never get an answer, are refused, or cannot be read.

Each must end set aside with its reason, and all others go on. The hooks that kill live in `faults.poisoned`, in the processes
of the campaign. Source: hazards H45, H46; OB-36, OB-40, OB-64.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg

from faults.campaign import SETTLE_SECONDS, Stuck
from faults.options import Options
from faults.poisoned import CELL, KINDS
from faults.rig import Rig
from faults.shop import Cell
from outrider.testing.faults import Victim

LEASE_SECONDS = 1.0
GRACE_SECONDS = 5.0
STANDING = 8
"""More than one message kills (three or four until it is suspected, two for its tries alone), and two who go on."""
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
