"""Killing, again and again, and timing how soon the next process settles something."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from faults.rig import Rig
from faults.shop import Cell
from outrider.testing.faults import Victim

SETTLE_SECONDS = 60.0
MOMENT_SECONDS = 0.1
ZOMBIE_SECONDS = 1.0


@dataclass
class Tally:
    """What the killing gave: counts, and for each kill the seconds until something was settled again."""

    kills: int = 0
    kills_in_flight: int = 0
    recoveries: list[float] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.kills + other.kills, self.kills_in_flight + other.kills_in_flight, self.recoveries + other.recoveries
        )


class Stuck(RuntimeError):
    """Nothing was settled for a minute."""


def first_owner(rig: Rig, role: str, name: str, cell: Cell) -> Victim:
    """Start the first process of a role, and have it own the lane before another one could."""
    owner = rig.spawn(role, name, cell, 0)
    if not owner.await_settled(SETTLE_SECONDS):
        raise Stuck(f"{owner.name} settled nothing:\n{owner.log_tail()}")
    return owner


def pick_moment(victim: Victim, chance: random.Random) -> None:
    """Wait until the victim has settled something, then for a random moment at which something is in flight."""
    if not victim.await_settled(SETTLE_SECONDS):
        raise Stuck(f"{victim.name} settled nothing:\n{victim.log_tail()}")
    time.sleep(chance.random() * MOMENT_SECONDS)
    victim.await_in_flight(MOMENT_SECONDS * 10)


def kill_in_turn(rig: Rig, role: str, name: str, cell: Cell, kills: int, tick: Callable[[], None]) -> Tally:
    """Kill the owner, let the one that stands by take over, start a new one to stand by; `kills` times.

    Each process stands for another host, so the lease (or the group's session) decides.
    """
    chance = random.Random(f"{cell.seed}/{name}")
    tally = Tally()
    owner = first_owner(rig, role, name, cell)
    for number in range(kills):
        standby = rig.spawn(role, name, cell, number + 1)
        if not standby.await_ready(SETTLE_SECONDS):
            raise Stuck(f"{standby.name} did not start:\n{standby.log_tail()}")
        pick_moment(owner, chance)
        tally.kills_in_flight += owner.kill()
        killed_at = time.monotonic()
        tally.kills += 1
        if not standby.await_settled(SETTLE_SECONDS):
            raise Stuck(f"{standby.name} settled nothing:\n{standby.log_tail()}")
        tally.recoveries.append(standby.board.first_settled_at - killed_at)
        owner = standby
        tick()
    return tally


def freeze_in_turn(rig: Rig, role: str, name: str, cell: Cell, kills: int, tick: Callable[[], None]) -> Tally:
    """Stop the owner past its lease with SIGSTOP, let another take over, let the zombie go on with SIGCONT."""
    chance = random.Random(f"{cell.seed}/{name}")
    tally = Tally()
    owner = first_owner(rig, role, name, cell)
    for number in range(kills):
        standby = rig.spawn(role, name, cell, number + 1)
        if not standby.await_ready(SETTLE_SECONDS):
            raise Stuck(f"{standby.name} did not start:\n{standby.log_tail()}")
        pick_moment(owner, chance)
        owner.freeze()
        frozen_at = time.monotonic()
        tally.kills += 1
        tally.kills_in_flight += owner.board.in_flight
        if not standby.await_settled(SETTLE_SECONDS):
            raise Stuck(f"{standby.name} settled nothing:\n{standby.log_tail()}")
        tally.recoveries.append(standby.board.first_settled_at - frozen_at)
        time.sleep(max(0.0, cell.lease_seconds + 0.2 - (time.monotonic() - frozen_at)))
        owner.thaw()
        time.sleep(ZOMBIE_SECONDS)  # let it do its worst; then it would be one more that stands by
        owner.kill()
        owner = standby
        tick()
    return tally


class Server(Protocol):
    """What can be killed and started again on the same port and data."""

    def kill(self) -> None:
        """SIGKILL."""

    def start(self) -> None:
        """Start, and return when it answers."""


def restart_server(server: Server, watched: list[Victim], cell: Cell, kills: int, tick: Callable[[], None]) -> Tally:
    """SIGKILL a server and start it again, `kills` times; recovery counts from when it answers again."""
    chance = random.Random(cell.seed)
    tally = Tally()
    for _ in range(kills):
        for victim in watched:
            if not victim.await_settled(SETTLE_SECONDS):
                raise Stuck(f"{victim.name} settled nothing:\n{victim.log_tail()}")
        time.sleep(0.3 + chance.random())
        watched[0].await_in_flight(MOMENT_SECONDS * 10)
        tally.kills_in_flight += any(victim.board.in_flight for victim in watched)
        server.kill()
        before = [victim.board.settled for victim in watched]
        server.start()
        answered_at = time.monotonic()
        tally.kills += 1
        recovered = 0.0
        for victim, settled in zip(watched, before, strict=True):
            while victim.board.settled <= settled:
                if time.monotonic() > answered_at + SETTLE_SECONDS:
                    raise Stuck(f"{victim.name} settled nothing after a restart:\n{victim.log_tail()}")
                time.sleep(0.002)
            recovered = max(recovered, time.monotonic() - answered_at)
        tally.recoveries.append(recovered)
        tick()
    return tally


@contextmanager
def stopping(victims: list[Victim]) -> Iterator[None]:
    """Stop these in the end, gently."""
    try:
        yield
    finally:
        for victim in victims:
            victim.stop()
