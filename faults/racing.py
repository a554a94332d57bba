"""Confirms, edits, ignores and expiries from four processes at once, of which one is killed now and then."""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from sqlite3 import connect
from typing import Any, Final
from uuid import UUID

from faults.calendar_day import furnish, storage_of, with_driver
from faults.campaign import SETTLE_SECONDS, Stuck
from faults.database import connected
from faults.options import Options
from faults.rig import LEASE_SECONDS, Rig
from faults.shop import Cell
from faults.tapped import Call, Findings, judge, read_round
from faults.tapping import STARTER
from outrider.testing.faults import Board, Victim
from outrider.testing.schema import create_tables
from steward.storage.engine import open_pool
from steward.storage.migrate import migrate
from steward.storage.storage import AlchemyStorage

PROCESSES: Final = 4
KILLED_ROUNDS: Final = 0.2
"""The share of rounds in which a process is killed."""
MOMENT_SECONDS: Final = 0.03
LOOK_SECONDS: Final = 0.001
LONG, SHORT_MS = timedelta(hours=1), 150
SHORT_LIVED: Final = 0.3
"""The share of previews that expire while their round runs."""
ZEROS: Final = ("half_written", "overlaps", "double_winners", "unexplained")

Tick = Callable[[], None]


def confirm(rig: Rig, options: Options, tick: Tick) -> dict[str, Any]:
    """`options.kills` rounds on each database: the rig's server, and SQLite."""
    server = rig.server.create_database("race")
    file = rig.folder / "race.db"
    found, figures = Findings(), dict[str, Any]()
    for name, database in ((rig.database, server), ("sqlite", f"sqlite:///{file}")):
        folder = rig.folder / f"{name}-race"
        folder.mkdir()
        cell = Cell(database, "log:", LEASE_SECONDS, seed=options.seed, state_dir=str(folder))
        with asyncio.Runner() as runner:
            figures[name] = Race(rig, cell, name, runner).run(options.kills, tick, found)
    for word in found.words:
        print(word)
    return {
        "rounds": options.kills,
        "kills": sum(one["kills"] for one in figures.values()),
        "kills_in_flight": sum(one["kills_in_flight"] for one in figures.values()),
        **{kind: found.counts[kind] for kind in ZEROS},
        "by_database": figures,
    }


class Race:
    """The rounds on one database."""

    def __init__(self, rig: Rig, cell: Cell, name: str, runner: asyncio.Runner) -> None:
        self._rig, self._cell, self._name, self._runner = rig, cell, name, runner
        self._folder = Path(cell.state_dir)
        self._starter = Board(self._folder / STARTER)
        self._taps: list[tuple[Victim, Board]] = []
        self._chance = random.Random(f"{cell.seed}/{name}")
        self._started = 0

    def run(self, rounds: int, tick: Tick, found: Findings) -> dict[str, Any]:
        """All rounds, then the judgement."""
        storage = self._runner.run(self._open())
        self._taps = [self._spawn(process) for process in range(PROCESSES)]
        kills = in_flight = 0
        for number in range(1, rounds + 1):
            lasts = LONG
            if self._chance.random() < SHORT_LIVED:
                lasts = timedelta(milliseconds=self._chance.randrange(SHORT_MS))
            self._runner.run(furnish(storage, number, lasts))
            self._await_ready()
            self._starter.begin(number)
            if self._chance.random() < KILLED_ROUNDS:
                kills += 1
                in_flight += self._kill()
            self._await_done(number)
            tick()
        for victim, _ in self._taps:
            victim.kill()
        return {"kills": kills, "kills_in_flight": in_flight, **self._runner.run(self._judge(storage, rounds, found))}

    async def _open(self) -> AlchemyStorage:
        create_tables(self._cell.database, "steward_")
        pool = open_pool(with_driver(self._cell.database))
        await migrate(pool)
        await pool.dispose()
        return storage_of(with_driver(self._cell.database))

    def _spawn(self, process: int) -> tuple[Victim, Board]:
        name = f"{self._name}-{process}-{self._started}"
        self._started += 1
        return self._rig.spawn("tap", name, self._cell), Board(self._folder / f"{name}.rounds")

    def _await_ready(self) -> None:
        for victim, _ in self._taps:
            if not victim.await_ready(SETTLE_SECONDS):
                raise Stuck(f"{victim.name} did not start:\n{victim.log_tail()}")

    def _kill(self) -> bool:
        place = self._chance.randrange(PROCESSES)
        victim, _ = self._taps[place]
        victim.await_in_flight(MOMENT_SECONDS * 10)
        time.sleep(self._chance.random() * MOMENT_SECONDS)
        in_flight = victim.kill()
        self._taps[place] = self._spawn(place)
        return in_flight

    def _await_done(self, number: int) -> None:
        """Wait until every process that entered the round is through with it."""
        deadline = time.monotonic() + SETTLE_SECONDS
        for victim, rounds in self._taps:
            while victim.board.ready and rounds.settled < number:
                if time.monotonic() > deadline or not victim.running:
                    raise Stuck(f"{victim.name} is not through with round {number}:\n{victim.log_tail()}")
                time.sleep(LOOK_SECONDS)

    async def _judge(self, storage: AlchemyStorage, rounds: int, found: Findings) -> dict[str, Any]:
        calls, messages = self._calls(), _messages(self._cell.database)
        ended, outcomes = Counter[str](), Counter[str]()
        for number in range(1, rounds + 1):
            mine = calls[number]
            told = await storage.read(lambda tx, number=number, mine=mine: read_round(tx, number, messages, mine))  # type: ignore[misc]
            judge(number, told, found)
            ended[told.preview.status] += 1
            for call in told.calls:
                outcomes[f"{call['operation']}:{call.get('outcome', {}).get('code', 'killed')}"] += 1
        await storage.close()
        return {"ended": dict(ended), "outcomes": dict(sorted(outcomes.items()))}

    def _calls(self) -> dict[int, list[Call]]:
        found = defaultdict[int, list[Call]](list)
        for path in sorted(self._folder.glob("*.calls")):
            for line in path.read_text().splitlines():
                call = json.loads(line)
                found[call["round"]].append(call)
        return found


def _messages(database: str) -> set[str]:
    query = "SELECT message_id FROM steward_outbox_message"
    if database.startswith("sqlite"):
        with closing(connect(database.removeprefix("sqlite:///"))) as connection:
            rows = connection.execute(query).fetchall()
    else:
        with connected(database) as server:
            rows = server.rows(query)
    return {str(UUID(bytes=row[0]) if isinstance(row[0], bytes) else UUID(str(row[0]))) for row in rows}
