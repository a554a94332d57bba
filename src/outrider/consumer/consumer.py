"""The consumer as a service: it starts, works in rounds, and drains.

Invariant: a database or a broker that is away ends a round, never the consumer: what was not decided is received again
after a back-off, and nothing was acknowledged for it (OB-61).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from outrider.consumer.attempt import BrokenAttempt
from outrider.consumer.caution import Caution
from outrider.consumer.config import ConsumerConfig
from outrider.consumer.round import Parts, Round
from outrider.consumer.tell import Teller
from outrider.core.errors import BrokerUnavailable, LeaseLost, OutriderError, StorageUnavailable, WrongDatabase
from outrider.core.events import DrainEnded, DrainStarted, ServiceFailed
from outrider.core.inbox import InboxConsumer, join_consumer, lock_consumer, promote_orphans, release_understood
from outrider.core.meta import INSTANCE, read_meta
from outrider.core.steps import Steps
from outrider.core.text import clean_text
from outrider.ports.clock import Clock
from outrider.ports.telemetry import Telemetry
from outrider.runtime.service import Service
from outrider.runtime.sessions import Sessions
from outrider.runtime.supervisor import first_error, wait_for_event

T = TypeVar("T")
Build = Callable[[InboxConsumer, Sessions, Teller], Parts]
_PASSING = (StorageUnavailable, BrokerUnavailable, LeaseLost)


class ThreadsLost(OutriderError):
    """Too many handlers hang in their threads: the process has drained and exits 1, to be started anew (OB-69)."""

    code = "handler.timeout"


class Consumer(Service):
    """Runs the handlers of one consumer. `build` makes its parts from the consumer's row, once the loop runs."""

    role = "consumer"

    def __init__(
        self,
        config: ConsumerConfig,
        sessions: Callable[[], Sessions],
        build: Build,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        super().__init__()
        self._config = config
        self._make_sessions = sessions
        self._build = build
        self._clock = clock
        self._telemetry = telemetry
        self._teller = Teller(telemetry, config.service, config.name)
        self._told = asyncio.Event()
        self._round: Round | None = None

    def _hindrance(self) -> str | None:
        if self._round is None or not self._round.looked:
            return "the database or the source cannot be reached"
        return None

    def _drain(self, timeout_seconds: float) -> None:  # noqa: ARG002 - `stop` keeps the time
        self._telemetry.emit(DrainStarted(self._config.service, self.role))
        self._told.set()

    async def _serve(self) -> None:
        self._told = asyncio.Event()
        sessions = self._make_sessions()
        started = self._clock.boottime()
        parts: Parts | None = None
        clean = False
        try:
            parts = await self._persist(lambda: self._join(sessions))
            if parts is not None:
                await self._work(parts)
            clean = True
        finally:
            if parts is not None:
                await parts.source.close()
                await parts.relay_dead.close()
                parts.performer.close()
            await sessions.close()
            seconds = self._clock.boottime() - started
            self._telemetry.emit(DrainEnded(self._config.service, self.role, clean=clean, duration=seconds))

    async def _join(self, sessions: Sessions) -> Parts:
        """The consumer's row, and what starts with it: understood rows are released, every key gets a head."""
        row = await sessions.transact(join_consumer(self._config.name))
        parts = self._build(row, sessions, self._teller)
        await self._compare(parts, sessions)
        for message_id, type_name, topic in await sessions.transact(_begin(row.id, parts)):
            self._teller.released(str(message_id), type_name, topic)
        return parts

    async def _compare(self, parts: Parts, sessions: Sessions) -> None:
        """Raise WrongDatabase unless the handlers' transactions reach the database of the settings (OB-99)."""
        ours = (await sessions.run(read_meta())).get(INSTANCE)
        try:
            theirs = (await parts.performer.run(read_meta())).get(INSTANCE)
        except BrokenAttempt as broken:
            if broken.fault is not None:
                raise StorageUnavailable(f"the handlers' database: {broken}") from broken.error
            raise WrongDatabase(
                f"`transactions` reach a database without tables of service {self._config.service!r}: {broken}"
            ) from broken.error
        if ours != theirs:
            raise WrongDatabase("`transactions` reach another instance of the service than the setting database.url")

    async def _work(self, parts: Parts) -> None:
        """Rounds, until told to stop. Raises ThreadsLost where too many threads hang."""
        await self._persist(parts.source.start)
        if not self._told.is_set():
            self._teller.started(parts.source.about, parts.router.handlers)

        caution = Caution(parts.source.places, parts.sessions, parts.facts, self._config.policy, parts.teller)

        async def one() -> None:
            self._round = Round(self._config, parts, caution, self._clock, self._told)
            try:
                await self._round.run()
            finally:
                self._round = None

        await self._persist(one)
        if parts.threads_lost() >= self._config.threads_lost_max:
            raise ThreadsLost(f"{parts.threads_lost()} handlers hang in their threads")

    async def _persist(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Do `work`, again with growing back-off while what it needs is away; None where told to stop meanwhile."""
        least, most = self._config.backoff_seconds
        backoff = least
        while not self._told.is_set():
            started = self._clock.boottime()
            try:
                return await work()
            except (*_PASSING, BaseExceptionGroup) as raised:
                error = first_error(raised) if isinstance(raised, BaseExceptionGroup) else raised
                if not isinstance(error, _PASSING):
                    raise error from None
            if self._clock.boottime() - started > most:
                backoff = least
            self._telemetry.emit(
                ServiceFailed(self._config.service, self.role, code=error.code, error=clean_text(str(error)))
            )
            await wait_for_event(self._told, backoff * (0.5 + 0.5 * self._clock.chance()))
            backoff = min(most, backoff * 2)
        return None


def _begin(consumer_id: int, parts: Parts) -> Steps[list[tuple[UUID, str, str]]]:
    yield from lock_consumer(consumer_id)
    released = yield from release_understood(consumer_id, parts.router.understood)
    yield from promote_orphans(consumer_id, parts.facts.hold_types, arrays=parts.facts.arrays)
    return released
