"""The number of lanes changes under load, while the processes that carry the change out are killed (OB-45)."""

import asyncio
import random
import time
from collections.abc import Callable
from functools import reduce
from itertools import cycle, islice
from operator import add
from typing import Any

import psycopg

from faults import roles
from faults.campaign import SETTLE_SECONDS, Stuck, Tally, first_owner
from faults.finish import LOOK_SECONDS, committed_count, figures_of, finish
from faults.options import Options
from faults.rig import Rig
from faults.shop import Cell, catalog
from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.testing.faults import Victim

NUMBERS = (4, 8, 3, 1)
PROCESSES = 2
SUBSCRIPTIONS = {"relay": "relay", "consume": "billing"}
CHANGE_SECONDS = 3.0  # about what one change takes, to spread the messages over the campaign


def lanes(rig: Rig, options: Options, tick: Callable[[], None]) -> dict[str, Any]:
    """1 → 4 → 8 → 3 → 1 … lanes of a relay, then of a consumer on the log; in half of the changes a process is killed."""
    rate = max(50.0, options.messages / (options.kills * CHANGE_SECONDS))
    tallies, verdicts, longest = [], [], 0.0
    for number, role in enumerate(SUBSCRIPTIONS):
        state = rig.folder / f"lanes-{role}.state"
        state.mkdir()
        cell = rig.cell(
            f"lanes{role}", broker="log:" if role == "consume" else None, rate=rate, seed=options.seed + number,
            transactional=options.transactional and role == "relay", state_dir=str(state),
        )  # fmt: skip
        load = rig.spawn("load", f"lanes{role}", cell)
        changes = options.kills // 2 if number else options.kills - options.kills // 2
        running = [first_owner(rig, role, f"lanes{role}", cell)]
        running += [rig.spawn(role, f"lanes{role}", cell, other) for other in range(1, PROCESSES)]
        tally, took = _change(rig, role, cell, changes, running, tick)
        longest = max(longest, took)
        while committed_count(cell) < options.messages // len(SUBSCRIPTIONS):
            time.sleep(LOOK_SECONDS)
        load.stop()
        tallies.append(tally)
        verdicts.append(finish(rig, f"lanes{role}", cell, running[0] if role == "relay" else None))
        for victim in running:
            victim.stop()
    figures = figures_of(reduce(add, tallies), reduce(add, verdicts))
    return figures | {"changes": options.kills, "change_max_s": round(longest, 2)}


def _change(
    rig: Rig, role: str, cell: Cell, changes: int, running: list[Victim], tick: Callable[[], None]
) -> tuple[Tally, float]:
    """Change the number again and again; gives the killings, and how long the slowest change took."""
    chance, tally, longest, began = random.Random(cell.seed), Tally(), 0.0, len(running)
    for number, wanted in enumerate(islice(cycle(NUMBERS), changes)):
        began_at = time.monotonic()
        asyncio.run(_want(role, cell, wanted))
        if number % 2:
            time.sleep(chance.random())
            place = chance.randrange(len(running))
            tally.kills_in_flight += running[place].kill()
            tally.kills += 1
            running[place] = rig.spawn(role, f"lanes{role}", cell, began + number)
        while (found := _lanes(cell, SUBSCRIPTIONS[role])) != wanted:
            if time.monotonic() > began_at + SETTLE_SECONDS:
                raise Stuck(f"{found} lanes, {wanted} wanted:\n{running[0].log_tail()}\n{running[1].log_tail()}")
            time.sleep(LOOK_SECONDS)
        longest = max(longest, time.monotonic() - began_at)
        time.sleep(chance.random())  # let them work so for a while
        tick()
    return tally, longest


async def _want(role: str, cell: Cell, wanted: int) -> None:
    made = site(roles.settings("shop", cell), catalog(f"lanes{role}"))
    await operations(made, actor="campaign").change_lanes(SUBSCRIPTIONS[role], wanted, reason="campaign")


def _lanes(cell: Cell, subscription: str) -> int:
    with psycopg.connect(cell.database) as connection:
        row = connection.execute(
            "SELECT lanes FROM shop_outbox_subscription WHERE name = %s", (subscription,)
        ).fetchone()
    assert row is not None
    return int(row[0])
