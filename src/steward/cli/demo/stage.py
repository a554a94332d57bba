"""What the play stands on: a Steward that runs, and what it may look at.

Invariant: the play changes nothing but by HTTP, as a person's program would.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from steward.cli.demo.http import Api
from steward.domain.profile import Locale
from steward.ports.rows.suggestion import JobRow, PreviewRow
from steward.ports.storage import Reading, Storage

T = TypeVar("T")
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 300.0
USER = "demo"


class Differs(Exception):
    """What came is not what the play says; `what` is for who watches."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Unplayable(Exception):
    """The play cannot be given with what the person gave; the text says why."""


@dataclass
class Stage:
    """`tell` prints a line; `count` gives the rows of a table."""

    storage: Storage
    api: Api
    url: str
    locale: Locale
    broker: str
    tell: Callable[[str], None]
    count: Callable[[str], Awaitable[int]]
    failure: Callable[[], str | None] = field(default=lambda: None)

    async def job(self, task_id: str) -> JobRow | None:
        """The task's newest job."""

        async def work(tx: Reading) -> JobRow | None:
            found = await tx.all(JobRow, {"user_id": USER, "task_id": task_id}, order=("-generation",), limit=1)
            return found[0] if found else None

        return await self.storage.read(work)

    async def preview(self, trigger_id: str) -> PreviewRow | None:
        """The trigger's preview."""
        return await self.storage.read(lambda tx: tx.one(PreviewRow, {"user_id": USER, "trigger_id": trigger_id}))

    async def until(self, what: str, look: Callable[[], Awaitable[T | None]]) -> T:
        """What `look` gives as soon as it gives something. Raises Differs where it never does, or where a part has died."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while loop.time() < until:
            if (found := await look()) is not None:
                return found
            if (failed := self.failure()) is not None:
                raise Differs(failed)
            await asyncio.sleep(LOOK_SECONDS)
        raise Differs(what)
