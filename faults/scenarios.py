"""The campaigns by name. Each gives its figures as a dictionary; `lost`, `phantom` … are summed over its cells."""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

import psycopg

from faults.amnesia import amnesia
from faults.campaign import SETTLE_SECONDS, Stuck, Tally, freeze_in_turn, kill_in_turn, restart_server
from faults.finish import LOOK_SECONDS, committed_count, figures_of, finish
from faults.laning import lanes
from faults.notification import notification, notification_frozen, notification_points
from faults.options import Options
from faults.pipeline import pipeline
from faults.poison import poison
from faults.pruning import prune
from faults.racing import confirm
from faults.rebasing import rebase
from faults.restarts import restart
from faults.rig import Rig
from faults.unreachable import notification_outage
from faults.verdict import Verdict

Tick = Callable[[], None]
KILL_SECONDS = 3.0  # about what one kill and recovery takes, to spread the messages over the campaign


def relay(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL relays; two cells with a database and a topic each, side by side."""
    return _in_cells(rig, options, tick, [("left", kill_in_turn), ("right", kill_in_turn)], "relay")


def zombie(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGSTOP relays past their lease, SIGCONT when another has taken over."""
    return _in_cells(rig, options, tick, [("left", freeze_in_turn), ("right", freeze_in_turn)], "relay")


def consume(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL consumers: one cell takes from Kafka (one partition, so that a takeover is plain to see), one from the log."""
    return _in_cells(rig, options, tick, [("kafka", kill_in_turn), ("log", kill_in_turn)], "consume")


def _in_cells(
    rig: Rig, options: Options, tick: Tick, cells: list[tuple[str, Callable[..., Tally]]], role: str
) -> dict[str, Any]:
    share = options.kills // len(cells)
    rate = max(50.0, options.messages / len(cells) / (share * KILL_SECONDS))

    def one(number: int) -> tuple[Tally, Verdict]:
        name, kill = cells[number]
        kills = share + (options.kills % len(cells) if number == 0 else 0)
        cell = rig.cell(
            name, broker="log:" if name == "log" else None, partitions=1 if role == "consume" else 4,
            rate=rate, transactional=options.transactional, seed=options.seed + number,
        )  # fmt: skip
        load = rig.spawn("load", name, cell)
        helper = rig.spawn("relay", name, cell, 10_000) if role == "consume" and name != "log" else None
        tally = kill(rig, role, name, cell, kills, tick)
        while committed_count(cell) < options.messages // len(cells):
            time.sleep(LOOK_SECONDS)
        load.stop()
        return tally, finish(rig, name, cell, helper)

    with ThreadPoolExecutor(len(cells)) as pool:
        results = list(pool.map(one, range(len(cells))))
    return figures_of(reduce(add, [tally for tally, _ in results]), reduce(add, [verdict for _, verdict in results]))


def add_(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL adding processes inside their transactions."""
    cell = rig.cell("adders", rate=2000.0, seed=options.seed)
    chance, tally, number = random.Random(options.seed), Tally(), 0
    while tally.kills < options.kills or committed_count(cell) < options.messages:
        load = rig.spawn("load", "adders", replace(cell, seed=options.seed + number), number)
        number += 1
        if not load.await_settled(SETTLE_SECONDS):
            raise Stuck(load.log_tail())
        time.sleep(chance.random() * 0.2)
        load.await_in_flight(1.0)
        if tally.kills < options.kills:
            tally.kills += 1
            tally.kills_in_flight += load.kill()
            tick()
        else:
            time.sleep(1.0)
            load.stop()
    return figures_of(tally, finish(rig, "adders", cell, None))


def postgres(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL PostgreSQL under producers, relay and consumer."""
    return _server(rig, options, tick, rig.server)


def mariadb(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL MariaDB under producers, relay and consumer."""
    return _server(rig, options, tick, rig.server)


def kafka(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """SIGKILL Kafka under producers, relay and consumer."""
    return _server(rig, options, tick, rig.kafka)


def _server(rig: Rig, options: Options, tick: Tick, server: Any) -> dict[str, Any]:  # noqa: ANN401 - either server
    cell = rig.cell("server", seed=options.seed, transactional=options.transactional)
    load = rig.spawn("load", "server", cell)
    relay_ = rig.spawn("relay", "server", cell)
    consumer = rig.spawn("consume", "server", cell)
    tally = restart_server(server, [relay_, consumer], cell, options.kills, tick)
    load.stop()
    consumer.stop()
    return figures_of(tally, finish(rig, "server", cell, relay_))


def outage(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """Stop Kafka for a while under a load; nothing may be counted, and all must be out soon after its return."""
    cell = rig.cell("outage", seed=options.seed, rate=options.messages / options.seconds * 1.1)
    relay_ = rig.spawn("relay", "outage", cell)
    load = rig.spawn("load", "outage", replace(cell, messages=options.messages))
    if not relay_.await_settled(SETTLE_SECONDS):
        raise Stuck(relay_.log_tail())
    rig.kafka.kill()
    time.sleep(options.seconds)
    tick()
    load.wait()
    rig.kafka.start()
    answered_at = time.monotonic()
    total = committed_count(cell)
    while relay_.board.settled < total and time.monotonic() < answered_at + SETTLE_SECONDS:
        time.sleep(0.01)
    drained = relay_.board.last_settled_at - answered_at
    with psycopg.connect(cell.database) as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE status = 'dead'), coalesce(sum(attempts), 0) FROM shop_outbox_delivery"
        ).fetchone()
    assert row is not None
    figures = figures_of(Tally(), finish(rig, "outage", cell, relay_))
    return figures | {
        "seconds": options.seconds, "dead": row[0], "attempts_counted": int(row[1]), "drained_s": round(drained, 2),
        "bound_s": cell.lease_seconds + 10,
    }  # fmt: skip


SCENARIOS: dict[str, Callable[[Rig, Options, Tick], dict[str, Any]]] = {
    "confirm": confirm,
    "relay": relay,
    "consume": consume,
    "add": add_,
    "postgres": postgres,
    "mariadb": mariadb,
    "kafka": kafka,
    "zombie": zombie,
    "outage": outage,
    "restart": restart,
    "amnesia": amnesia,
    "prune": prune,
    "poison": poison,
    "lanes": lanes,
    "rebase": rebase,
    "notification": notification,
    "notification-frozen": notification_frozen,
    "notification-points": notification_points,
    "notification-outage": notification_outage,
    "pipeline": pipeline,
}
