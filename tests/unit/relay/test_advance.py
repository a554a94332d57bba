"""When a lane's position is written, and what it waits for."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from outrider.core.deliveries import Changes
from outrider.core.lane import Cursor, LaneKey
from outrider.core.position import Position
from outrider.core.steps import Statement, Steps, run
from outrider.ports.storage import StorageSession
from outrider.relay.advance import Writer
from outrider.relay.holds import Holds
from outrider.relay.pipeline import Flight, Pipeline
from outrider.relay.publish import Lease
from outrider.relay.tell import Tell
from outrider.runtime.system_clock import SystemClock

HOUR = timedelta(hours=1)
PATIENCE_SECONDS = 10


class Session:
    """Holds every epoch, and notes what it was asked."""

    def __init__(self) -> None:
        self.sent: list[Statement] = []

    async def run(self, steps: Steps[Any]) -> Any:  # noqa: ANN401 - whatever the steps give
        return run(steps, self._answer)

    transact = run

    def _answer(self, statement: Statement) -> Sequence[tuple[Any, ...]]:
        self.sent.append(statement)
        return [(1,)]

    @property
    def durable(self) -> list[bool]:
        return [one.params["durable"] for one in self.sent if one.name == "write_position"]


class Silent:
    def emit(self, event: object) -> None:
        """Nobody listens."""


class NoHolds:
    def written(self, keys: object) -> None:
        """Nothing is held."""

    clear = written


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def writer(session: Session) -> Writer:
    cursor = Cursor(LaneKey(1, 0), 1, Position(), 0, 0, "c", 1, 1, None, 0)
    clock = SystemClock()
    return Writer(
        cast("StorageSession", session), cursor, None, cast("Holds", NoHolds()), Lease(clock, 15, 5), clock,
        Tell(Silent(), "shop", "relay", 0, 1), HOUR,
    )  # fmt: skip


async def test_a_position_alone_need_not_last(writer: Writer, session: Session) -> None:
    """OB-22, OB-41, OB-101: what a crash takes back of it is sent again; with rows, or before a tick's first publish, it is
    on disk.
    """
    writer.settled(Position(last_id=1), 1, 1)
    await writer.conclude(Changes())
    await writer.write_now(Position(last_id=2))
    writer.settled(Position(last_id=3), 3, 1)
    writer.end()
    await writer.run()
    assert session.durable == [True, True, True], "the last of a lane says that its journal is due"
    writer.settled(Position(last_id=4), 4, 1)
    await writer.renew(timedelta(seconds=15))
    assert session.durable == [True, True, True, False]


async def test_the_end_of_a_backlog_is_written_at_once(writer: Writer, session: Session) -> None:
    """OB-22: not after the interval; and not before all of it is settled."""
    pipeline = Pipeline()
    running = asyncio.ensure_future(writer.run())
    for number in (1, 2):
        pipeline.put(Flight(after=Position(last_id=number)))
    pipeline.backlog_ended = True
    writer.settled(Position(last_id=1), 1, 1)
    pipeline.concluded()
    writer.hasten(pipeline)
    await asyncio.sleep(0)
    assert session.durable == []
    writer.settled(Position(last_id=2), 2, 1)
    pipeline.concluded()
    writer.hasten(pipeline)
    await asyncio.wait_for(writer.progress.wait(), PATIENCE_SECONDS)
    assert writer.stored.last_id == 2
    assert not pipeline.backlog_ended
    writer.end()
    await running
