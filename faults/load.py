"""The load: threads that place orders, a part of them rolled back, some slow to commit.

It runs until SIGTERM, or until `messages` transactions have committed. The customer's row is locked before its message is
added, so `n` is the causal order of a key (OB-4).
"""

import random
import threading
import time
import uuid

from faults.database import ERRORS, Connection, connected
from faults.shop import TYPE, Cell, catalog
from outrider import Message, Outbox
from outrider.core.errors import StorageError
from outrider.testing.faults import Board

THREADS = 3
SLOW_SHARE = 0.02
SLOW_SECONDS = 0.05


class Load:
    """Places orders until told to stop; survives the database's restarts, as an application would."""

    def __init__(self, name: str, cell: Cell, board: Board) -> None:
        self._cell = cell
        self._board = board
        self._stop = threading.Event()
        self._outbox = Outbox(catalog(name), "shop")
        self._guard = threading.Lock()
        self._begun = 0
        self._ended = 0
        self._committed = 0

    def run(self) -> None:
        """Run the threads to their end."""
        threads = [threading.Thread(target=self._place_orders, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self, *_: object) -> None:
        """Have every thread end after its current transaction."""
        self._stop.set()

    def _place_orders(self, number: int) -> None:
        chance = random.Random(f"{self._cell.seed}/{number}/{time.time()}")
        pause = THREADS / self._cell.rate
        while not self._stop.is_set():
            try:
                with connected(self._cell.database) as connection:
                    while not self._stop.is_set():
                        begun = time.monotonic()
                        self._place_one(connection, chance)
                        self._stop.wait(max(0.0, pause * 2 * chance.random() - (time.monotonic() - begun)))
            except (*ERRORS, StorageError):
                self._stop.wait(0.1)

    def _place_one(self, connection: Connection, chance: random.Random) -> None:
        token, key = uuid.uuid4().hex, f"customer-{chance.randrange(self._cell.keys)}"
        fate = chance.random()
        self._count(begun=1)
        try:
            with connection.transaction(rolled_back=fate < self._cell.rollbacks):
                count = connection.count_up(key)
                connection.rows("INSERT INTO placed VALUES (%s, %s, %s)", token, key, count)
                self._outbox.add(connection.raw, Message(TYPE, {"token": token, "key": key, "n": count}, key=key))
                if fate > 1 - SLOW_SHARE:
                    time.sleep(SLOW_SECONDS)
            self._count(committed=fate >= self._cell.rollbacks)
        finally:
            self._count(ended=1)

    def _count(self, begun: int = 0, ended: int = 0, committed: int = 0) -> None:
        with self._guard:
            self._begun += begun
            self._ended += ended
            self._committed += committed
            if begun:
                self._board.begin(self._begun)
            if ended:
                self._board.settle(self._ended)
            if self._cell.messages and self._committed >= self._cell.messages:
                self._stop.set()
