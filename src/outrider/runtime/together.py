"""What several tasks want of the database at the same time, done in one transaction.

Invariant: each task is answered once, with what is committed; what fails together is tried one by one, so that an error
reaches the task whose it is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from outrider.core.errors import StorageUnavailable
from outrider.core.steps import Steps
from outrider.runtime.supervisor import wait_for_event

W = TypeVar("W")
F = TypeVar("F")

TOGETHER_MAX: Final = 16
"""Of so many at most: a transaction stays short, and what it locks is soon free."""
LINGER_SECONDS: Final = 0.02

Drive = Callable[[Steps[Any]], Awaitable[Any]]


@dataclass(eq=False, slots=True)
class _Wish(Generic[W, F]):
    wanted: W
    answer: asyncio.Future[F]


class Together(Generic[W, F]):
    """Drives `steps`, which answer several at once in the order given, by one of `drives`: as many at a time as there are.

    While one is under way, those who come wait for the next, which is for all of them; while `awaited` says that more will
    come soon, it waits for them, `LINGER_SECONDS` at most.
    """

    def __init__(
        self,
        drives: Sequence[Drive],
        steps: Callable[[Sequence[W]], Steps[Sequence[F]]],
        awaited: Callable[[], bool] = lambda: False,
    ) -> None:
        self._steps, self._awaited = steps, awaited
        self._full = asyncio.Event()
        self._free = list(drives)
        self._room = asyncio.Semaphore(len(drives))
        self._waiting: list[_Wish[W, F]] = []

    async def do(self, wanted: W) -> F:
        """The answer to this one. Raises what the steps raise for it, and StorageUnavailable.

        Whoever drives the steps and is cancelled takes the others with it: the tasks of a service are cancelled together.
        """
        loop = asyncio.get_running_loop()
        wish: _Wish[W, F] = _Wish(wanted, loop.create_future())
        self._waiting.append(wish)
        if len(self._waiting) >= TOGETHER_MAX:
            self._full.set()
        turn: asyncio.Future[None] = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn  # who comes in the same turn of the loop comes along
        async with self._room:
            if wish in self._waiting:
                if self._awaited() and len(self._waiting) < TOGETHER_MAX:
                    self._full.clear()
                    await wait_for_event(self._full, LINGER_SECONDS)
                await self._serve()
        return await wish.answer

    async def _serve(self) -> None:
        batch, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
        drive = self._free.pop()
        try:
            await self._answer(drive, batch)
        finally:
            self._free.append(drive)
            for wish in batch:
                wish.answer.cancel()  # does nothing to what is answered

    async def _answer(self, drive: Drive, batch: Sequence[_Wish[W, F]]) -> None:
        try:
            found = await drive(self._steps([wish.wanted for wish in batch]))
        except StorageUnavailable as error:
            for wish in batch:
                _fail(wish, error)
        except Exception as error:  # noqa: BLE001 - handed to the task that asked
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            for wish in batch:
                await self._answer(drive, [wish])
        else:
            for wish, one in zip(batch, found, strict=True):
                if not wish.answer.done():
                    wish.answer.set_result(one)


def _fail(wish: _Wish[W, F], error: Exception) -> None:
    if not wish.answer.done():
        wish.answer.set_exception(error)
