"""A producer of the demo: places its share of the orders, rolls some back, and can be killed at any point."""

import random
import signal
import threading
import time
import uuid
from typing import Any

from outrider import Message, Outbox
from outrider.cli.demo.shop import SERVICE, TYPE, Plan, catalog, connect, orders, sql
from outrider.testing.faults import Board

Connection = Any
"""A sqlite3 or psycopg connection: both have `execute(text, values)`."""


class Producer:
    """Places every `plan.producers`-th row, from the first that is not committed yet."""

    def __init__(self, plan: Plan, number: int, board: Board) -> None:
        self._plan = plan
        self._number = number
        self._board = board
        self._stop = threading.Event()
        self._outbox = Outbox(catalog(plan.namespace), SERVICE)
        self._attempts = 0

    def run(self) -> None:
        """Place them all, or until SIGTERM."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop.set())
        chance = random.Random(f"{self._plan.seed}/{self._number}/{uuid.uuid4()}")
        pause = self._plan.producers / self._plan.orders_per_second
        with connect(self._plan) as connection:
            query = sql(self._plan, "SELECT coalesce(max(row_number), -1) FROM demo_placed WHERE row_number % ? = ?")
            (last,) = connection.execute(query, (self._plan.producers, self._number)).fetchone()
            for number, (key, row) in enumerate(orders(self._plan)):
                if number % self._plan.producers != self._number or number <= last:
                    continue
                while not self._stop.is_set():
                    started = time.monotonic()
                    placed = self._attempt(connection, number, key, row, chance)
                    self._stop.wait(max(0.0, pause - (time.monotonic() - started)))
                    if placed:
                        break

    def _attempt(
        self, connection: Connection, number: int, key: str, row: dict[str, Any], chance: random.Random
    ) -> bool:
        token = f"{number}-{uuid.uuid4().hex[:8]}"
        self._attempts += 1
        self._board.begin(self._attempts)
        roll_back = chance.random() < self._plan.rollback_share
        connection.execute("BEGIN IMMEDIATE" if self._plan.dialect == "sqlite" else "BEGIN")
        try:
            self._place(connection, token, number, key, row)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("ROLLBACK" if roll_back else "COMMIT")
        if roll_back:
            connection.execute(sql(self._plan, "INSERT INTO demo_rolled_back VALUES (?)"), (token,))
        self._board.settle(self._attempts)
        return not roll_back

    def _place(self, connection: Connection, token: str, number: int, key: str, row: dict[str, Any]) -> None:
        count = """INSERT INTO demo_customer VALUES (?, 1)
                   ON CONFLICT (key) DO UPDATE SET n = demo_customer.n + 1 RETURNING n"""
        (n,) = connection.execute(sql(self._plan, count), (key,)).fetchone()
        connection.execute(sql(self._plan, "INSERT INTO demo_placed VALUES (?, ?, ?, ?)"), (token, number, key, n))
        self._outbox.add(connection, Message(TYPE, {"token": token, "key": key, "row": row}, key=key))
