"""The end of a campaign: let a healthy relay and consumer bring the rest through, and judge."""

import time
from dataclasses import asdict
from typing import Any

from faults.campaign import SETTLE_SECONDS, Tally
from faults.rig import Rig, topic
from faults.shop import Cell
from faults.verdict import Verdict, committed, effects, judge, published
from outrider.testing.faults import Victim

QUIET_SECONDS = 30.0
LOOK_SECONDS = 0.2


def finish(rig: Rig, name: str, cell: Cell, relay_: Victim | None) -> Verdict:
    """Let a healthy relay and consumer bring the rest through, stop them, and judge."""
    relays = [] if cell.broker == "log:" else [relay_ or rig.spawn("relay", name, cell, 20_000)]
    helpers = [*relays, rig.spawn("consume", name, cell, 20_000)]
    for helper in helpers:
        helper.await_ready(SETTLE_SECONDS)
    total, arrived, since = committed_count(cell), -1, time.monotonic()
    while arrived < total and time.monotonic() < since + QUIET_SECONDS:
        now = len({token for _, token in effects(cell.database)})
        if now != arrived:
            arrived, since = now, time.monotonic()
        time.sleep(LOOK_SECONDS)
    for helper in helpers:
        helper.stop()
    return judge(cell.database, published(rig.kafka.bootstrap_servers, topic(name)) if relays else None)


def committed_count(cell: Cell) -> int:
    """How many orders were committed."""
    return sum(map(len, committed(cell.database).values()))


def figures_of(tally: Tally, verdict: Verdict) -> dict[str, Any]:
    """The figures of a campaign: what is wrong, the kills, and how soon something was settled after them."""
    recoveries = sorted(tally.recoveries)
    figures: dict[str, Any] = asdict(verdict) | {"kills": tally.kills, "kills_in_flight": tally.kills_in_flight}
    if recoveries:
        figures["recovery_s"] = round(recoveries[min(len(recoveries) - 1, int(len(recoveries) * 0.95))], 2)
        figures["recovery_max_s"] = round(recoveries[-1], 2)
    return figures
