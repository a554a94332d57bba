"""Writers of a log, interleaved step by step from one thread, by seed.

Every writer locks a key's aggregate before it adds a message of that key, so the order in which a key's messages must be
read is known. One transaction in five rolls back, some roll back to a savepoint, some take their number long before they
add, all rest for as long as chance does not choose them; one unrelated transaction that has written stays open.
Invariant: no step ever waits for a lock, because the plan knows who holds it; so a run is a function of its seed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from outrider.testing.conformance.storage_harness import StorageHarness, Writer, add, message

KEYS = ("ant", "bee", "cat", "dog", "eel")
ROLLBACKS = 0.2
EARLY = 0.4
Chance = Callable[[], float]
"""Gives a number in [0, 1), always the same sequence for one seed."""


@dataclass(slots=True)
class _Open:
    """One writer and what its transaction has done so far."""

    writer: Writer
    is_open: bool = False
    held: set[str] = field(default_factory=set)
    added: list[tuple[str, int]] = field(default_factory=list)
    steps_left: int = 0


class Interleaving:
    """`writers` connections that add to one log. `committed` holds, for each key, its messages in causal order."""

    def __init__(self, harness: StorageHarness, chance: Chance, writers: int = 8) -> None:
        self.committed: dict[str | None, list[int]] = {}
        self.commits = 0
        self._harness = harness
        self._chance = chance
        self._writers = [_Open(harness.writer()) for _ in range(writers)]
        self._held: set[str] = set()
        self._numbers = 0
        self._unrelated: Writer | None = None

    @property
    def total(self) -> int:
        """How many messages have been committed."""
        return sum(len(numbers) for numbers in self.committed.values())

    @property
    def leaves_room(self) -> bool:
        """Whether another connection can write now."""
        return self._harness.concurrent or not any(one.is_open for one in self._writers)

    def hold_unrelated(self) -> None:
        """Open a transaction that writes to another table, and leave it open; the one before is ended."""
        if not self._harness.concurrent:
            return
        self.end_unrelated()
        self._unrelated = self._harness.writer()
        self._unrelated.begin()
        self._unrelated.number()

    def end_unrelated(self) -> None:
        """Commit it."""
        if self._unrelated is not None:
            self._unrelated.commit()
            self._unrelated.close()
            self._unrelated = None

    def step(self) -> None:
        """Let one writer do one thing."""
        choice = self._writers if self.leaves_room else [one for one in self._writers if one.is_open]
        one = choice[self._below(len(choice))]
        if not one.is_open:
            self._begin(one)
        elif one.steps_left == 0:
            self._end(one, commit=self._chance() >= ROLLBACKS)
        else:
            one.steps_left -= 1
            self._add(one)

    def end_all(self) -> None:
        """End every open transaction, and the unrelated one."""
        for one in self._writers:
            if one.is_open:
                self._end(one, commit=True)
        self.end_unrelated()

    def _begin(self, one: _Open) -> None:
        one.writer.begin()
        one.is_open = True
        one.steps_left = 1 + self._below(4)
        if self._chance() < EARLY:
            one.writer.number()

    def _add(self, one: _Open) -> None:
        free = [key for key in KEYS if key not in self._held or key in one.held]
        if not free:
            return
        key = free[self._below(len(free))]
        self._held.add(key)
        one.held.add(key)
        if self._chance() < ROLLBACKS:
            one.writer.savepoint()
            self._add_some(one, key)
            one.writer.back_to_savepoint()
        else:
            one.added.extend(self._add_some(one, key))

    def _add_some(self, one: _Open, key: str) -> list[tuple[str, int]]:
        one.writer.bump(key)
        count = 1 + self._below(3)
        numbers = range(self._numbers, self._numbers + count)
        self._numbers += count
        add(self._harness, one.writer, *(message(number, key) for number in numbers))
        return [(key, number) for number in numbers]

    def _end(self, one: _Open, *, commit: bool) -> None:
        if commit:
            one.writer.commit()
            self.commits += 1
            for key, number in one.added:
                self.committed.setdefault(key, []).append(number)
        else:
            one.writer.rollback()
        self._held -= one.held
        one.is_open, one.held, one.added = False, set(), []

    def _below(self, count: int) -> int:
        return int(self._chance() * count)
