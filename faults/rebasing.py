"""A dump restored into another cluster in mid-stream, with transactions that commit late: `cursor rebase` (OB-20)."""

import asyncio
import random
import subprocess
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import psycopg

from faults import roles
from faults.campaign import SETTLE_SECONDS, Stuck, Tally, first_owner, pick_moment
from faults.finish import LOOK_SECONDS, committed_count, figures_of, finish
from faults.options import Options
from faults.rig import Rig
from faults.shop import TYPE, Cell, catalog
from faults.verdict import Verdict, effects
from outrider import Message, Outbox
from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.testing.faults import Victim
from outrider.testing.services import PostgresServer

LATE = 20
BEHIND_SECONDS = 1.0
QUIET_SECONDS = 3.0


def rebase(rig: Rig, options: Options, tick: Callable[[], None]) -> dict[str, Any]:
    """Kill the relay, then the consumer on the log, under load; dump, restore into another cluster, rebase, go on there."""
    verdicts, tally, undelivered, refused = [], Tally(), 0, True
    with PostgresServer(own_cluster=True) as other:
        for number, (name, role) in enumerate((("rebaserelay", "relay"), ("rebaselog", "consume"))):
            broker = "log:" if role == "consume" else None
            cell = rig.cell(name, broker=broker, seed=options.seed + number, rate=options.messages / 4 + 50.0)
            tally.kills += 1
            tally.kills_in_flight += _until_dump(rig, role, name, cell)
            restored = replace(cell, database=_restored(cell.database, other, name))
            refused = _refuses(rig, role, name, restored) and refused
            undelivered += asyncio.run(_rebase(name, restored))
            load = rig.spawn("load", name, restored, 1)
            first_owner(rig, role, name, replace(restored, seed=restored.seed + 7)).stop()
            while committed_count(restored) < options.messages // 2:
                time.sleep(LOOK_SECONDS)
            load.stop()
            verdicts.append(finish(rig, name, restored, None))
            tick()
    figures = figures_of(tally, reduce(add, verdicts, Verdict()))
    return figures | {"undelivered": undelivered, "refused_without": refused}


def _until_dump(rig: Rig, role: str, name: str, cell: Cell) -> bool:
    """Work under load with transactions that stay open; kill the reader, and let them commit behind it."""
    load = rig.spawn("load", name, cell)
    helper = rig.spawn("consume", name, cell, 1) if role == "relay" else None
    owner = first_owner(rig, role, name, cell)
    with psycopg.connect(cell.database) as late:
        outbox = Outbox(catalog(name), "shop")
        for number in range(LATE):
            token, key = uuid.uuid4().hex, f"late-{number}"
            late.execute("INSERT INTO placed VALUES (%s, %s, 1)", (token, key))
            outbox.add(late, Message(TYPE, {"token": token, "key": key, "n": 1}, key=key))
        settled = owner.board.settled
        while owner.board.settled < settled + LATE:  # what has higher ids is passed
            time.sleep(LOOK_SECONDS)
        pick_moment(owner, random.Random(cell.seed))
        in_flight = owner.kill()
        time.sleep(BEHIND_SECONDS)
        load.stop()
    if helper is not None:
        _until_quiet(cell)
        helper.stop()
    return in_flight


def _until_quiet(cell: Cell) -> None:
    count, since = -1, time.monotonic()
    while time.monotonic() < since + QUIET_SECONDS:
        now = len(effects(cell.database))
        if now != count:
            count, since = now, time.monotonic()
        time.sleep(LOOK_SECONDS)


def _restored(database: str, other: PostgresServer, name: str) -> str:
    """The URL of a copy of `database` in another cluster."""
    url = other.create_database(name)
    dump = subprocess.run(["pg_dump", "--no-owner", "--dbname", database], capture_output=True, check=True)
    subprocess.run(
        ["psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url], input=dump.stdout, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return url


def _refuses(rig: Rig, role: str, name: str, cell: Cell) -> bool:
    """Whether a process ends by itself and names the command."""
    victim: Victim = rig.spawn(role, name, cell, 2)
    deadline = time.monotonic() + SETTLE_SECONDS
    while victim.running:
        if time.monotonic() > deadline or victim.board.settled:
            raise Stuck(f"{victim.name} works on a foreign position:\n{victim.log_tail()}")
        time.sleep(LOOK_SECONDS)
    said = victim.log_tail()
    return victim.wait() != 0 and "ForeignPosition" in said and "outrider cursor rebase" in said


async def _rebase(name: str, cell: Cell) -> int:
    made = site(roles.settings("shop", cell), catalog(name))
    done = await operations(made, actor="campaign").rebase(reason="campaign")
    return sum(one.undelivered for one in done)
