"""A process that crashes and starts again on its own host, under the lease as shipped: proof of death (OB-100)."""

import random
import time
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

from faults.campaign import SETTLE_SECONDS, Stuck, Tally, first_owner, pick_moment
from faults.finish import LOOK_SECONDS, committed_count, figures_of, finish
from faults.options import Options
from faults.rig import Rig
from faults.shop import Cell
from outrider.testing.faults import Victim

SHIPPED_LEASE_SECONDS = 15.0
KILL_SECONDS = 1.5  # about what one kill and recovery takes, to spread the messages over the campaign


def restart(rig: Rig, options: Options, tick: Callable[[], None]) -> dict[str, Any]:
    """SIGKILL the one relay, then the one consumer on the log, and start the same again on the same host, at once.

    In the end each is killed once more and its file removed: then the lease decides (`without_file_s`).
    """
    share = options.kills // 2
    cells = [("relay", options.kills - share, None), ("consume", share, "log:")]
    rate = max(50.0, options.messages / (options.kills * KILL_SECONDS))
    tallies, verdicts, without = [], [], []
    for number, (role, kills, broker) in enumerate(cells):
        state = rig.folder / f"{role}.state"
        state.mkdir()
        cell = rig.cell(
            role, broker=broker, rate=rate, seed=options.seed + number, lease_seconds=SHIPPED_LEASE_SECONDS,
            transactional=options.transactional and role == "relay", state_dir=str(state),
        )  # fmt: skip
        load = rig.spawn("load", role, cell)
        tally, owner = _kill_and_restart(rig, role, cell, kills, tick)
        owner.kill()
        for file in state.iterdir():
            file.unlink()
        last = rig.spawn(role, role, cell, kills + 1)
        without.append(_recovered(last))
        while committed_count(cell) < options.messages // len(cells):
            time.sleep(LOOK_SECONDS)
        load.stop()
        tallies.append(tally)
        verdicts.append(finish(rig, role, cell, last if role == "relay" else None))
        last.stop()
    return figures_of(reduce(add, tallies), reduce(add, verdicts)) | {
        "lease_s": SHIPPED_LEASE_SECONDS,
        "without_file_s": round(min(without), 2),
    }


def _kill_and_restart(rig: Rig, role: str, cell: Cell, kills: int, tick: Callable[[], None]) -> tuple[Tally, Victim]:
    chance, tally = random.Random(cell.seed), Tally()
    owner = first_owner(rig, role, role, cell)
    for number in range(kills):
        pick_moment(owner, chance)
        tally.kills_in_flight += owner.kill()
        tally.kills += 1
        owner = rig.spawn(role, role, cell, number + 1)
        tally.recoveries.append(_recovered(owner))
        tick()
    return tally, owner


def _recovered(victim: Victim) -> float:
    """Seconds from the process's start to its first settlement."""
    if not victim.await_settled(SETTLE_SECONDS):
        raise Stuck(f"{victim.name} settled nothing:\n{victim.log_tail()}")
    return victim.board.first_settled_at - victim.started_at
