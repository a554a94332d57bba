"""The only maker of tasks: each belongs to a group that outlives none of them.

Invariant: when a task fails its siblings are cancelled and awaited, and the failure reaches whoever holds the group.
"""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Supervisor:
    """A group of tasks, as an async context manager. Leaving it waits for all; failures come as an exception group."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._group.__aexit__(kind, error, trace)

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start `work` as a task of this group."""
        return self._group.create_task(work, name=name)


def start_alone(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start the root task of a service. The caller keeps it, awaits it, and is the only one to cancel it."""
    return asyncio.get_running_loop().create_task(work, name=name)


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the first failure in a group of groups, the one that a caller is told."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def wait_for_event(event: asyncio.Event, timeout_seconds: float) -> bool:
    """Wait until `event` is set, at most so long. Says whether it is."""
    if event.is_set():
        return True
    try:
        async with asyncio.timeout(timeout_seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True
