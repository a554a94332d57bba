"""What several tasks want at the same time is done in one transaction, and an error is its own task's."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from outrider.core.errors import StorageUnavailable
from outrider.core.steps import Statement, Steps, run
from outrider.runtime.together import TOGETHER_MAX, Together


class Driven:
    """Drives steps, one batch at a time, and keeps what was asked for together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def drive(self, steps: Steps[Any]) -> Any:  # noqa: ANN401 - the steps' own result
        await self.gate.wait()
        if self.away:
            raise StorageUnavailable("away")
        return run(steps, self._execute)

    def _execute(self, statement: Statement) -> list[tuple[int]]:
        wanted = statement.params["wanted"]
        self.batches.append(wanted)
        return [(2 * one,) for one in wanted]


def doubled(wanted: Sequence[int]) -> Steps[list[int]]:
    """Twice each; nobody can double -13."""
    rows = yield Statement("double", {"wanted": list(wanted)})
    if -13 in wanted:
        raise ValueError("-13")
    return [row[0] for row in rows]


async def test_who_comes_at_the_same_time_shares_a_transaction() -> None:
    """NT-10, NT-12: each gets its own answer."""
    driven = Driven()
    together = Together([driven.drive], doubled)
    assert await asyncio.gather(*map(together.do, range(4))) == [0, 2, 4, 6]
    assert driven.batches == [[0, 1, 2, 3]]


async def test_who_comes_meanwhile_waits_for_the_next_one() -> None:
    """At most so many go together."""
    driven = Driven()
    together = Together([driven.drive], doubled)
    driven.gate.clear()
    first = asyncio.ensure_future(together.do(-1))
    await asyncio.wait({first}, timeout=0.01)
    others = [asyncio.ensure_future(together.do(number)) for number in range(TOGETHER_MAX + 1)]
    await asyncio.wait(others, timeout=0.01)
    driven.gate.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in driven.batches] == [1, TOGETHER_MAX, 1]


async def test_an_error_is_its_own_tasks() -> None:
    """NT-13: one's error never stops the rest."""
    driven = Driven()
    together = Together([driven.drive], doubled)
    found = await asyncio.gather(*map(together.do, (1, -13, 2)), return_exceptions=True)
    assert (found[0], found[2]) == (2, 4)
    assert isinstance(found[1], ValueError)
    assert driven.batches == [[1, -13, 2], [1], [-13], [2]]


async def test_a_database_that_is_away_is_told_to_all_and_forgotten() -> None:
    """OB-19: nobody waits for each other's failure in turn."""
    driven = Driven()
    together = Together([driven.drive], doubled)
    driven.away = True
    found = await asyncio.gather(*map(together.do, (1, 2)), return_exceptions=True)
    assert all(isinstance(one, StorageUnavailable) for one in found)
    driven.away = False
    assert await together.do(3) == 6


async def test_who_leaves_disturbs_nobody() -> None:
    """A task that is cancelled while it waits is left out of the answers."""
    driven = Driven()
    together = Together([driven.drive, driven.drive], doubled)
    driven.gate.clear()
    leader, leaver = (asyncio.ensure_future(together.do(number)) for number in (1, 2))
    await asyncio.wait({leader}, timeout=0.01)
    leaver.cancel()
    driven.gate.set()
    assert await leader == 2
    with pytest.raises(asyncio.CancelledError):
        await leaver


async def test_while_more_will_come_soon_it_waits_a_little() -> None:
    """Until there are as many as go together, or a moment has passed."""
    driven = Driven()
    together = Together([driven.drive], doubled, lambda: True)
    first = asyncio.ensure_future(together.do(-1))
    for _ in range(4):
        await asyncio.sleep(0)
    assert driven.batches == []
    others = [asyncio.ensure_future(together.do(number)) for number in range(TOGETHER_MAX - 1)]
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in driven.batches] == [TOGETHER_MAX]
    assert await together.do(7) == 14, "nobody else comes"
