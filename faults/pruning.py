"""Pruning as hard as it can be: without pause, against slow and new subscriptions, held snapshots and kills.

Days pass in a second: a helper makes what is older than that old enough for pruning as shipped. It touches times alone.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg

from faults.campaign import SETTLE_SECONDS, Stuck
from faults.finish import LOOK_SECONDS
from faults.options import Options
from faults.rig import Rig
from faults.shop import TYPE, Cell, catalog
from outrider import Message, Outbox
from outrider.testing.faults import Victim

AGED_SECONDS = 1.0
ROUND_SECONDS = 2.0
HELD_SECONDS = 3.0
RATE = 150.0
END_SECONDS = 120.0
QUICK, SLOW, NEW = "quick", "slow", "new"
TABLES = (
    "CREATE TABLE taken (consumer text NOT NULL, token text NOT NULL)",
    "CREATE TABLE early (message_id uuid NOT NULL)",
    """CREATE FUNCTION watch_receipts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM shop_outbox_message AS m WHERE m.message_id = OLD.message_id)
    THEN INSERT INTO early VALUES (OLD.message_id); END IF; RETURN OLD; END $$""",
    "CREATE TRIGGER watch_receipts AFTER DELETE ON shop_inbox_receipt FOR EACH ROW EXECUTE FUNCTION watch_receipts()",
)
AGEING = tuple(
    f"UPDATE {table} SET {column} = {column} - interval '{days} days'"
    f" WHERE {column} BETWEEN now() - interval '7 days' AND now() - interval '{AGED_SECONDS} s'"
    for table, column, days in (
        ("shop_outbox_advance", "at", 8), ("shop_outbox_message", "created_at", 8), ("shop_inbox_receipt", "consumed_at", 15)
    )
)  # fmt: skip
TAKEN = "SELECT token FROM taken WHERE consumer = %s"
DOUBLED = "SELECT count(*) FROM (SELECT FROM taken GROUP BY consumer, token HAVING count(*) > 1) AS twice"
LEFT = "SELECT (SELECT count(*) FROM shop_outbox_message), (SELECT count(*) FROM shop_inbox_receipt)"


def prune(rig: Rig, options: Options, tick: Callable[[], None]) -> dict[str, Any]:
    """Prune under producers, a quick consumer, a slow one and one that begins half-way; kill the pruner and them in turn."""
    chance = random.Random(options.seed)
    cell = rig.cell("prune", broker="log:", rate=RATE, seed=options.seed)
    with psycopg.connect(cell.database, autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
    load = rig.spawn("load", "prune", cell)
    running = {name: _begin(rig, cell, name, 0) for name in (QUICK, SLOW, "prune")}
    before: set[str] = set()
    kills = max(options.kills, 2)
    with _beside(_age, cell), _beside(_hold, cell):
        for number in range(1, kills + 1):
            if number == kills // 2:
                running[NEW] = _begin(rig, cell, NEW, number)
                before = _tokens(cell, "SELECT token FROM placed")
            time.sleep(ROUND_SECONDS * chance.random())
            name = chance.choice(sorted(running))
            if name == SLOW:
                running[name].freeze()
                time.sleep(2 * AGED_SECONDS)
            running[name].kill()
            running[name] = _begin(rig, cell, name, number)
            tick()
        load.stop()
    pruned_meanwhile = _one(cell, "SELECT (SELECT count(*) FROM placed) - (SELECT count(*) FROM shop_outbox_message)")[
        0
    ]
    missed = _await_taken(cell, before)
    _await_pruned(cell)
    for victim in running.values():
        victim.stop()
    committed = _tokens(cell, "SELECT token FROM placed")
    messages, receipts = _one(cell, LEFT)
    return {
        "committed": len(committed), "kills": kills, "pruned": len(committed) - messages,
        "pruned_meanwhile": pruned_meanwhile,
        "undelivered_pruned": sum(map(len, missed.values())), "receipts_early": _one(cell, "SELECT count(*) FROM early")[0],
        "doubled_effects": _one(cell, DOUBLED)[0], "messages_left": messages, "receipts_left": receipts,
    }  # fmt: skip


def _begin(rig: Rig, cell: Cell, name: str, number: int) -> Victim:
    """Start the pruner or a consumer, and wait until it works. The lease of a pruner that was killed is over by now."""
    if name == "prune":
        with psycopg.connect(cell.database) as connection:
            connection.execute("DELETE FROM shop_outrider_meta WHERE name = 'prune_lease'")
        role = "prune"
    else:
        role = "read"
    victim = rig.spawn(role, "prune", replace(cell, reader=name), number)
    if not victim.await_ready(SETTLE_SECONDS):
        raise Stuck(f"{victim.name} did not start:\n{victim.log_tail()}")
    return victim


@contextmanager
def _beside(work: Callable[[Cell], None], cell: Cell) -> Iterator[None]:
    """Do it again and again meanwhile."""
    over = threading.Event()
    failed: list[BaseException] = []

    def loop() -> None:
        try:
            while not over.wait(LOOK_SECONDS):
                work(cell)
        except BaseException as error:  # noqa: BLE001 - raised again by the campaign
            failed.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


def _age(cell: Cell) -> None:
    """Let days pass for what is a second old; a row that a pruner has just deleted is no matter."""
    with psycopg.connect(cell.database, autocommit=True) as connection:
        for statement in AGEING:
            connection.execute(statement.encode())


def _hold(cell: Cell) -> None:
    """Add a message, keep its transaction and its snapshot open past the pruning bound, and commit it late."""
    token, key = uuid.uuid4().hex, f"late-{uuid.uuid4().hex[:8]}"
    with psycopg.connect(cell.database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("INSERT INTO placed VALUES (%s, %s, 1)", (token, key))
        Outbox(catalog("prune"), "shop").add(connection, Message(TYPE, {"token": token, "key": key, "n": 1}, key=key))
        time.sleep(HELD_SECONDS)


def _await_taken(cell: Cell, before_new: set[str]) -> dict[str, set[str]]:
    """Wait until every consumer has taken what it must; gives what it has not."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        committed = _tokens(cell, "SELECT token FROM placed")
        due = {QUICK: committed, SLOW: committed, NEW: committed - before_new}
        missed = {name: tokens - _tokens(cell, TAKEN, name) for name, tokens in due.items()}
        if not any(missed.values()) or time.monotonic() > deadline:
            return missed
        time.sleep(LOOK_SECONDS)


def _await_pruned(cell: Cell) -> None:
    """Let the pruner come to what everybody has by now; the journal's last row of each lane is the bound."""
    deadline = time.monotonic() + ROUND_SECONDS * 5
    while time.monotonic() < deadline and _one(cell, LEFT)[0]:
        _age(cell)
        time.sleep(LOOK_SECONDS)


def _tokens(cell: Cell, query: str, *values: str) -> set[str]:
    with psycopg.connect(cell.database) as connection:
        return {token for (token,) in connection.execute(query.encode(), values).fetchall()}


def _one(cell: Cell, query: str) -> tuple[int, ...]:
    with psycopg.connect(cell.database) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row
