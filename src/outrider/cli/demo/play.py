"""The play: start everybody, kill at random, and wait until the rest has come through."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from outrider.cli.demo.shop import CONSUMERS, Plan
from outrider.testing.faults import Victim

WORK_SECONDS = 60.0
QUIET_SECONDS = 30.0
PRODUCER_PAUSE_SECONDS = 3.0
PRODUCER_SHARE = 2  # one kill in two is a producer's: consumers and relay are the harder ones


class StuckError(RuntimeError):
    """A process settled nothing for a minute."""


@dataclass
class Play:
    """The processes of a demo. `say` is told of every kill; `kills` counts them."""

    plan: Plan
    folder: Path
    kills_wanted: int
    say: Callable[[str], None]
    kills: int = 0
    producer_kills: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _victims: list[Victim] = field(default_factory=list)
    _placing: set[int] = field(default_factory=set)
    _failures: list[BaseException] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator["Play"]:
        """Start everybody; end them all when the block ends."""
        loops = [threading.Thread(target=self._guarded, args=(self._kill_in_turn, role)) for role in self.roles]
        loops += [
            threading.Thread(target=self._guarded, args=(self._produce, number))
            for number in range(self.plan.producers)
        ]
        self._placing.update(range(self.plan.producers))
        try:
            for loop in loops:
                loop.start()
            yield self
        finally:
            self._over.set()
            for loop in loops:
                loop.join()
            for victim in self._victims:
                if victim.running:
                    victim.stop(5.0)

    @property
    def roles(self) -> list[str]:
        """What is killed beside the producers: on the log, consumers read it themselves and no relay is needed."""
        return [*([] if self.plan.broker == "log:" else ["relay"]), *CONSUMERS]

    @property
    def placing(self) -> bool:
        """Whether orders are still being placed."""
        return bool(self._placing)

    def check(self) -> None:
        """Raise what went wrong in one of the threads."""
        if self._failures:
            raise self._failures[0]

    def stop_placing(self) -> None:
        """End the killing, and have the producers end after their current order."""
        self._stopping.set()

    def enough(self) -> bool:
        """Whether no more is to be killed."""
        return self._stopping.is_set() or self.kills >= self.kills_wanted

    def _guarded(self, work: Callable[..., None], *args: object) -> None:
        try:
            work(*args)
        except BaseException as error:  # noqa: BLE001 - raised again by `check` in the main thread
            self._failures.append(error)
            self._over.set()

    def _spawn(self, role: str) -> Victim:
        with self._guard:
            number = len(self._victims)
            command = ["-m", "outrider.cli.demo.process", role, self.plan.to_json(), "{board}"]
            victim = Victim(f"{number:03}-{role.replace(':', '-')}", command, self.folder)
            self._victims.append(victim)
        return victim

    def _kill_in_turn(self, role: str) -> None:
        chance = random.Random(f"{self.plan.seed}/{role}")
        owner = self._spawn(role)
        while self._settles(owner, role):
            standby = self._spawn(role)
            standby.await_ready(WORK_SECONDS)
            self._over.wait(0.2 + chance.random() * 0.6)
            if self._ending():
                standby.stop(5.0)
                return
            owner.await_in_flight(0.2)
            killed_at = time.monotonic()
            held = owner.kill()
            self._count()
            if not self._settles(standby, role):
                return
            gap = standby.board.first_settled_at - killed_at
            where = "in mid-batch" if held else "while idle"
            self.say(f"killed {_short(role)} {where}; its standby went on after {gap:.1f} s")
            owner = standby

    def _settles(self, victim: Victim, role: str) -> bool:
        """Wait until `victim` has settled something; False when the play ends before."""
        deadline = time.monotonic() + WORK_SECONDS
        while not victim.await_settled(0.5):
            if self._ending():
                return False
            if not victim.running or time.monotonic() > deadline:
                raise StuckError(f"{role} settled nothing:\n{victim.log_tail()}")
        return True

    def _ending(self) -> bool:
        return self._over.is_set() or self.enough() or not self.placing

    def _produce(self, number: int) -> None:
        chance = random.Random(f"{self.plan.seed}/produce/{number}")
        role = f"produce:{number}"
        producer = self._spawn(role)
        while not self._over.is_set():
            if self._stopping.is_set():
                producer.stop()
                break
            if not producer.running:
                if producer.wait():
                    raise StuckError(f"{role} failed:\n{producer.log_tail()}")
                break
            self._stopping.wait(PRODUCER_PAUSE_SECONDS * (0.5 + chance.random()))
            if self._over.is_set() or self.enough() or self._producers_had_theirs() or not producer.running:
                self._over.wait(0.05)
                continue
            producer.await_in_flight(0.2)
            inside = producer.kill()
            self._count()
            self.producer_kills += 1
            self.say(
                f"killed a producer {'inside its transaction' if inside else 'between transactions'}; started again"
            )
            producer = self._spawn(role)
        self._placing.discard(number)

    def _producers_had_theirs(self) -> bool:
        return self.producer_kills >= self.kills_wanted // PRODUCER_SHARE

    def _count(self) -> None:
        with self._guard:
            self.kills += 1


def _short(role: str) -> str:
    return role.removeprefix("demo-")
