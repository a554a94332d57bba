"""The local lease deadline where the system has no clock that runs in suspend."""

import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from outrider.core.errors import LeaseLost
from outrider.relay.publish import Lease
from outrider.runtime.boottime import LOST_SECONDS, SteppedBoottime
from outrider.runtime.system_clock import SystemClock, boottime_of


@dataclass
class Clocks:
    """A system's two clocks; `between` passes from one reading to the next."""

    steady: float = 100.0
    civil: float = 1_000_000.0
    between: float = 0.0

    def monotonic(self) -> float:
        self.passes(self.between)
        return self.steady

    def time(self) -> float:
        self.passes(self.between)
        return self.civil

    def passes(self, seconds: float) -> None:
        self.steady += seconds
        self.civil += seconds


class Stepped(SystemClock):
    """The system's clock on a system without CLOCK_BOOTTIME."""

    def __init__(self, clocks: Clocks) -> None:
        self._boottime = SteppedBoottime(clocks.monotonic, clocks.time)


def test_time_passes_as_the_monotonic_clock_says() -> None:
    """OB-35: without a jump it is the monotonic clock, also under slewing and where the process is not run for a while."""
    clocks = Clocks()
    boottime = SteppedBoottime(clocks.monotonic, clocks.time)
    began = boottime()
    clocks.passes(5)
    clocks.civil += 0.05
    assert boottime() == began + 5
    clocks.between = 3.0
    boottime()
    clocks.between = 0.0
    assert boottime() < began + 60


@pytest.mark.parametrize("jump", [90.0, -90.0, 0.3])
async def test_a_jump_of_the_wall_clock_counts_as_expired(jump: float) -> None:
    """OB-35, H57: after it no publish starts under a lease of before; a lease asked for after it is good."""
    clocks = Clocks()
    lease = Lease(Stepped(clocks), 15.0, 5.0)
    lease.extended(lease.asked_at())
    assert lease.allows()
    clocks.civil += jump
    assert not lease.allows()
    with pytest.raises(LeaseLost):
        await lease.wait_until_allowed()
    lease.extended(lease.asked_at())
    assert lease.allows()


async def test_a_jump_while_the_lease_is_asked_for_counts_too() -> None:
    """OB-35: the deadline is measured from before the request was sent."""
    clocks = Clocks()
    lease = Lease(Stepped(clocks), 15.0, 5.0)
    asked_at = lease.asked_at()
    clocks.civil += 90
    lease.extended(asked_at)
    assert not lease.allows()


def test_each_jump_counts_once() -> None:
    """OB-35: time goes on from there, and never back."""
    clocks = Clocks()
    boottime = SteppedBoottime(clocks.monotonic, clocks.time)
    began = boottime()
    clocks.civil -= 3_600
    assert [boottime() - began, boottime() - began] == [LOST_SECONDS, LOST_SECONDS]
    clocks.civil += 3_600
    assert boottime() - began == 2 * LOST_SECONDS


def test_the_systems_own_clock_is_preferred() -> None:
    """OB-35: CLOCK_BOOTTIME where there is one, else what stands for it."""
    there = SimpleNamespace(CLOCK_BOOTTIME=7, clock_gettime=float)
    assert boottime_of(there)() == 7.0
    assert boottime_of(SimpleNamespace(monotonic=time.monotonic, time=time.time))() > 0
