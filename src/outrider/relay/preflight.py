"""Preflight: asking which destinations can take messages as they are set up.

Invariant: it runs beside the lane's work and concerns one destination at a time: nobody waits for another's. Each is asked
for when the lane starts or the destination becomes known, and again and again while it is paused automatically.
Source: spec/outbox.md OB-34, OB-39.
"""

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta

from outrider.core.errors import BrokerUnavailable
from outrider.core.events import DestinationPaused, DestinationResumed
from outrider.core.outcome import Refused
from outrider.ports.broker import Publisher
from outrider.ports.telemetry import Telemetry
from outrider.relay.advance import Writer
from outrider.relay.holds import Holds
from outrider.relay.pipeline import Pipeline
from outrider.runtime.supervisor import wait_for_event


class Preflight:
    """One lane's. `destinations` gives all that the service may publish to, as far as it is known by now."""

    def __init__(
        self,
        service: str,
        destinations: Callable[[], Collection[str]],
        publisher: Publisher,
        holds: Holds,
        writer: Writer,
        pipeline: Pipeline,
        telemetry: Telemetry,
        every: timedelta,
    ) -> None:
        self._service, self._destinations, self._publisher = service, destinations, publisher
        self._holds, self._writer, self._pipeline, self._telemetry = holds, writer, pipeline, telemetry
        self._every = every.total_seconds()
        self._asked: set[str] = set()

    async def run(self, ended: asyncio.Event) -> None:
        """Ask at once, then every so often, until `ended`."""
        await self._look()
        while not await wait_for_event(ended, self._every):
            await self._look()

    async def _look(self) -> None:
        """Ask for the destinations that are new and for those that are paused automatically."""
        new = set(self._destinations()) - self._asked
        topics = new | self._holds.pauses.automatic
        if not topics:
            return
        try:
            wrong = await self._publisher.check(topics)
        except BrokerUnavailable:
            return
        self._asked |= new
        for topic in sorted(topics):
            if topic in wrong:
                await self._pause(topic, wrong[topic])
            elif topic in self._holds.pauses.automatic:
                await self._resume(topic)

    async def _pause(self, topic: str, refused: Refused) -> None:
        if topic in self._holds.pauses.destinations:
            return
        is_new = await self._writer.pause(topic, refused)
        self._holds.pause(topic)
        if is_new:
            self._telemetry.emit(DestinationPaused(self._service, topic, refused.code, automatic=True))

    async def _resume(self, topic: str) -> None:
        await self._writer.resume(topic)
        self._holds.resume(topic)
        self._pipeline.want_release()
        self._telemetry.emit(DestinationResumed(self._service, topic, automatic=True))
