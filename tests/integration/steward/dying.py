"""Pieces of work that a process of its own does until it is killed by SIGKILL: at its first step, its second, and so on.

A step is what the database is asked for: each statement, each commit, and the moment after it, when the connection is given
back. The process stands before its n-th one and says so; whoever wanted that kills it, or first looks at who waits for it.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any, Final

from sqlalchemy import URL, Engine, Select, event, make_url
from sqlalchemy.pool import Pool

from outrider.testing.clock import ManualClock
from steward.storage.asking import Change, PsycopgAsking, Rows, Values
from steward.storage.limits import USUAL
from tests.integration.steward.parts import SetChance, storage_on
from tests.integration.steward.stage import Stage
from tests.integration.steward.works import WORKS

STEPS_MAX: Final = 100
IDS: Final = 1 << 16
"""More ids than one piece of work makes."""
PROCESSES: Final = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Deaths:
    """Those of processes over one database. Their ids go on from `ids`, so that no two rows have the same; their clock stands
    at `now`, as a test's does.
    """

    url: URL
    ids: SetChance
    now: datetime

    def of(self, name: str, *given: str) -> Iterator[int]:
        """Each step at which a process has died that did this work; over with the first that lives to its end."""
        for step in range(STEPS_MAX):
            with self.at(step, name, *given) as dies:
                pass
            if not dies:
                return
            yield step
        raise AssertionError(f"{name} has more than {STEPS_MAX} steps")

    @contextmanager
    def at(self, step: int, name: str, *given: str) -> Iterator[bool]:
        """A process that does this work and stands before this step; it is killed when the block ends.

        False: it has done all its work, which has fewer steps.
        """
        hears, says = PROCESSES.Pipe(duplex=False)
        url = self.url.render_as_string(hide_password=False)
        self.ids.made += IDS
        made = self.ids.made - IDS // 2
        process = PROCESSES.Process(target=stand, args=(url, self.now, made, says, step, name, given))
        process.start()
        says.close()
        try:
            stands = _says_so(hears)
            yield stands
        finally:
            process.kill()
            process.join()
            hears.close()
        assert process.exitcode == -signal.SIGKILL if stands else process.exitcode in {0, -signal.SIGKILL}, name


def _says_so(hears: Connection) -> bool:
    try:
        return hears.recv()  # type: ignore[no-any-return]  # a bool
    except EOFError:
        raise AssertionError("the work failed, see its stderr") from None


def stand(url: str, now: datetime, made: int, says: Connection, step: int, name: str, given: tuple[str, ...]) -> None:
    """Do the work as far as this step."""
    left = step

    def next_step(*_: Any) -> None:  # noqa: ANN401  what SQLAlchemy tells
        nonlocal left
        left -= 1
        if left < 0:
            says.send(True)
            while True:
                signal.pause()

    asked, told = PsycopgAsking.rows, PsycopgAsking.changed

    async def rows(self: PsycopgAsking, query: Select[Any], values: Values) -> Rows:
        next_step()  # of what is asked of the driver itself SQLAlchemy tells nothing
        return await asked(self, query, values)

    async def changed(self: PsycopgAsking, change: Change, values: Values | Sequence[Values]) -> int:
        next_step()
        return await told(self, change, values)

    PsycopgAsking.rows = rows  # type: ignore[method-assign]  # in this process, which dies
    PsycopgAsking.changed = changed  # type: ignore[method-assign]
    event.listen(Engine, "before_cursor_execute", next_step)
    event.listen(Engine, "commit", next_step)
    event.listen(Pool, "checkin", next_step)
    chance = SetChance()
    chance.made = made
    asyncio.run(_do(url, now, chance, name, given))
    says.send(False)
    os._exit(0)  # whatever else the end of a process would do to the database is no step of the work


async def _do(url: str, now: datetime, chance: SetChance, name: str, given: tuple[str, ...]) -> None:
    storage = storage_on(make_url(url), lambda: now, USUAL)
    await WORKS[name](Stage(storage, ManualClock(now), chance), *given)
