"""Several processes and the lanes of one log, on virtual time."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from outrider.consumer.log_lane import LogLane
from outrider.consumer.log_rows import LogRows
from outrider.consumer.log_share import LogOfService, LogShare
from outrider.consumer.router import Router
from outrider.consumer.tell import Teller
from outrider.core.catalog import Catalog
from outrider.core.lane import fair_share
from outrider.core.processes import Process
from outrider.core.retry import RetryPolicy
from outrider.runtime.sessions import Sessions
from outrider.runtime.system_clock import SystemClock
from outrider.storages.memory.database import MemoryDatabase
from outrider.storages.memory.log_reader import MemoryLogReader
from outrider.storages.memory.storage import MemoryStorage
from outrider.testing.events import EventSink

LEASE = timedelta(seconds=15)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class VirtualClock(SystemClock):
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def boottime(self) -> float:
        return self.seconds


@dataclass
class Fleet:
    """Processes over one log, and how many have crashed or gone."""

    lanes: int
    clock: VirtualClock = field(default_factory=VirtualClock)
    working: list[LogShare] = field(default_factory=list)
    joined: int = 0

    def __post_init__(self) -> None:
        self.storage = MemoryStorage("orders_", database=MemoryDatabase(self.clock.now))
        self.router = Router("billing", Catalog("orders", "billing"), {}, frozenset())

    async def join(self) -> None:
        self.joined += 1
        owned: dict[int, LogLane] = {}
        teller = Teller(EventSink(), "billing", "billing")
        texts, policy = self.storage.texts, RetryPolicy()
        rows = LogRows(Sessions(self.storage), texts, owned, frozenset(), policy, self.clock, teller)
        log = LogOfService(
            "orders", "urn:orders", "billing", "beginning", self.lanes, Sessions(self.storage), MemoryLogReader(),
            rows, owned, (),
        )  # fmt: skip
        process = Process(f"process-{self.joined}", "consumer:billing", "host", self.joined, "1")
        share = LogShare(log, self.router, process, LEASE, self.clock, teller)
        await share.start()
        self.working.append(share)

    async def do(self, action: str) -> None:
        if action == "join" or not self.working:
            await self.join()
        elif action == "leave":
            await self.working.pop(0).close()
        elif action == "crash":
            self.working.pop()
        await self.go_on(1)

    async def go_on(self, seconds: int) -> None:
        """Every process works once a second."""
        for _ in range(seconds):
            self.clock.seconds += 1
            for share in self.working:
                await share.read(100)
            self.check_one_owner_each()

    def check_one_owner_each(self) -> None:
        held = [number for share in self.working for number in share.log.owned]
        assert len(held) == len(set(held))


@given(lanes=st.integers(1, 9), actions=st.lists(st.sampled_from(["join", "leave", "crash", "wait"]), max_size=8))
def test_live_processes_come_to_fair_shares(lanes: int, actions: list[str]) -> None:
    """OB-35, OB-5: whoever came, went or died: within two leases every lane has one owner, and nobody more than its share."""

    async def play() -> None:
        fleet = Fleet(lanes)
        for action in ["join", *actions, "wait"]:
            await fleet.do(action)
        await fleet.go_on(2 * int(LEASE.total_seconds()) + lanes)
        held = [sorted(share.log.owned) for share in fleet.working]
        assert sorted(number for each in held for number in each) == list(range(lanes))
        assert max(map(len, held)) <= fair_share(lanes, len(fleet.working))

    asyncio.run(play())
