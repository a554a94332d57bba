"""A broker that forgets what it acknowledged: wiped between publish and consume; the sweeper makes up for it."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
from confluent_kafka import KafkaException

from faults.campaign import SETTLE_SECONDS, Stuck
from faults.finish import LOOK_SECONDS, committed_count
from faults.options import Options
from faults.rig import Rig, topic
from faults.shop import Cell
from faults.verdict import effects, judge, unsettled
from outrider.testing.faults import Victim

REDELIVER_SECONDS = 2.0
RATE = 60.0
UNCONSUMED_MIN = 100
"""Messages published and not consumed before each wipe."""
END_SECONDS = 180.0
ADVANCE_SECONDS = 0.5
"""In that time a relay that stands still has written how far it got."""
PUBLISHED = """
    SELECT convert_from(m.payload, 'UTF8')::json ->> 'token' FROM shop_outbox_message AS m
    JOIN shop_outbox_subscription AS s ON s.kind = 'relay'
    JOIN shop_outbox_cursor AS c ON c.subscription_id = s.id AND c.lane = m.key_hash % s.lanes
    WHERE (pg_visible_in_snapshot(m.xid, c.done) OR (m.id <= c.last_id AND pg_visible_in_snapshot(m.xid, c.target)))
      AND NOT EXISTS (
        SELECT FROM shop_outbox_delivery AS d
        WHERE d.subscription_id = s.id AND d.log_id = m.id AND d.status <> 'done')
"""
SWEPT = "SELECT coalesce(sum(d.attempts), 0) FROM shop_outbox_delivery AS d WHERE d.cause = 'missing'"


def amnesia(rig: Rig, options: Options, tick: Callable[[], None]) -> dict[str, Any]:
    """Wipe Kafka's data again and again while the consumer lags; messages keep coming, also after the last wipe."""
    cell = rig.cell("amnesia", rate=RATE, seed=options.seed, redeliver_seconds=REDELIVER_SECONDS)
    load = rig.spawn("load", "amnesia", cell)
    relay, consumer = rig.spawn("relay", "amnesia", cell), rig.spawn("consume", "amnesia", cell)
    wiped: set[str] = set()
    for _ in range(options.kills):
        for victim in (relay, consumer):
            if not victim.await_settled(SETTLE_SECONDS):
                raise Stuck(f"{victim.name} settled nothing:\n{victim.log_tail()}")
        consumer.freeze()
        _await_unconsumed(cell, relay)
        rig.kafka.kill()
        time.sleep(ADVANCE_SECONDS)
        wiped |= _unconsumed(cell)
        rig.kafka.wipe()
        rig.kafka.start()
        _make_topic(rig)
        consumer.thaw()
        for victim in (relay, consumer):
            victim.board.reset()
        tick()
    seconds = _await_handled(cell, wiped)
    load.stop()
    _await_quiet(cell)
    for victim in (consumer, relay):
        victim.stop()
    handled = {token for _, token in effects(cell.database)}
    verdict = judge(cell.database, None)
    with psycopg.connect(cell.database) as connection:
        row = connection.execute(SWEPT.encode()).fetchone()
    return {
        "committed": verdict.committed, "kills": options.kills, "wiped_unconsumed": len(wiped),
        "redelivered": round(100 * len(wiped & handled) / len(wiped), 2) if wiped else 0.0,
        "lost": verdict.lost, "phantom": verdict.phantom, "doubled_effects": verdict.doubled_effects, "stuck": verdict.stuck,
        "late_in_key": verdict.inversions, "resent": int(row[0]) if row else 0, "redelivered_after_s": round(seconds, 1),
    }  # fmt: skip


def _await_unconsumed(cell: Cell, relay: Victim) -> None:
    deadline = time.monotonic() + SETTLE_SECONDS
    while len(_unconsumed(cell)) < UNCONSUMED_MIN:
        if time.monotonic() > deadline:
            raise Stuck(f"{relay.name} publishes nothing:\n{relay.log_tail()}")
        time.sleep(LOOK_SECONDS)


def _unconsumed(cell: Cell) -> set[str]:
    """Tokens that the relay has behind it and that have no effect."""
    with psycopg.connect(cell.database) as connection:
        behind = {token for (token,) in connection.execute(PUBLISHED.encode()).fetchall()}
    return behind - {token for _, token in effects(cell.database)}


def _make_topic(rig: Rig) -> None:
    try:
        rig.kafka.create_topic(topic("amnesia"))
    except KafkaException:  # a client that asked for it was faster
        return


def _await_handled(cell: Cell, wiped: set[str]) -> float:
    """Wait until everything that was wiped has its effect, or for as long as that may take; gives the seconds."""
    began = time.monotonic()
    while time.monotonic() < began + END_SECONDS:
        if wiped <= {token for _, token in effects(cell.database)}:
            break
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def _await_quiet(cell: Cell) -> None:
    """Let what is left come through; the sweeper settles its rows."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        done = len({token for _, token in effects(cell.database)})
        if done >= committed_count(cell) and not unsettled(cell.database):
            return
        time.sleep(LOOK_SECONDS)
