"""A sender that dies by its own hand at one of six points of a send, the first time that it comes there."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from outrider.bootstrap.notifying import NotifierParts
from outrider.core.steps import Steps, T
from outrider.notification.store.beginning import Begun
from outrider.ports.channel import Channel
from outrider.runtime.sessions import Sessions

POINTS = ("claimed", "begun", "asked", "answered", "finishing", "finished")
"""Claimed and not begun; begun and not called; while the call is under way; answered and not written; written and not
committed; committed and not told.
"""
WAY_SECONDS = 0.02  # the provider answers later than that


def die() -> NoReturn:
    """SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody outlives SIGKILL")


class DyingSessions(Sessions):
    """A connection of a sender that dies at `point`."""

    def __init__(self, storage: Any, point: str) -> None:  # noqa: ANN401 - any storage
        super().__init__(storage)
        self._point = point

    async def transact(self, steps: Steps[T]) -> T:
        """Die before, within or after."""
        step, point = getattr(steps, "__name__", ""), self._point
        if (step, point) in {("begin_all", "claimed"), ("finish_all", "answered")}:
            die()
        if (step, point) == ("finish_all", "finishing"):
            steps = _until_commit(steps)
        found = await super().transact(steps)
        if (point == "begun" and _has_begun(step, found)) or (step, point) == ("finish_all", "finished"):
            die()
        return found


@dataclass(frozen=True, slots=True)
class DyingParts(NotifierParts):
    """The notifier's parts, whose connections are a dying sender's."""

    point: str = ""

    def sessions(self) -> Sessions:
        """A connection."""
        return DyingSessions(self.made.storage, self.point)


def doomed(parts: NotifierParts, point: str) -> NotifierParts:
    """The same notifier, to die at `point`."""
    if point == "asked":
        for channel in parts.desk.channels.values():
            channel.send = _asked(channel)  # type: ignore[method-assign, assignment]  # the fault is ours, not the channel's
    given = {one.name: getattr(parts, one.name) for one in fields(NotifierParts)}
    return DyingParts(**given, point=point)


def _has_begun(step: str, found: object) -> bool:
    return step == "begin_all" and isinstance(found, list) and any(isinstance(one, Begun) for one in found)


def _until_commit(steps: Steps[T]) -> Steps[T]:
    yield from steps
    die()


def _asked(channel: Channel) -> Callable[..., Awaitable[NoReturn]]:
    send = channel.send

    async def call(*given: Any) -> NoReturn:  # noqa: ANN401 - as the channel takes it
        await asyncio.wait({asyncio.ensure_future(send(*given))}, timeout=WAY_SECONDS)
        die()

    return call
