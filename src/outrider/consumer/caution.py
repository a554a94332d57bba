"""Going carefully after owners of a share of the source died: one message at a time, marked before its handler is called.

Invariant: a mark is in the database before the handler of its message begins, and counts only while its message has no
receipt. Where nobody died it costs a write a start, and nothing a message. Source: spec/outbox.md OB-64; hazard H45.
"""

from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from outrider.consumer.attempt import Facts
from outrider.consumer.item import Item
from outrider.consumer.places import Places
from outrider.consumer.tell import Teller
from outrider.core.consume_plan import DUPLICATE, PARKED, STANDING, Failed
from outrider.core.inbox import OrderKey, find_receipts
from outrider.core.retry import Failure, RetryPolicy
from outrider.core.suspects import CRASHED, SUSPECT, Start
from outrider.runtime.sessions import Sessions

CAREFUL_MESSAGES: Final = 1000
"""How many messages of a share go alone: about what an owner has in hand."""


class _Share:
    """A share in which nothing was settled since it was taken, or that goes carefully."""

    __slots__ = ("left", "received", "settled", "starts", "suspect")

    def __init__(self, start: Start[Any]) -> None:
        self.starts = start.starts
        self.suspect = start.suspect
        self.left = CAREFUL_MESSAGES if start.careful else 0
        self.settled = False
        self.received: deque[Item] = deque()


class Caution:
    """What rounds must know of deaths before them. It outlives a round that failed: a share that this process has held all
    along is not begun again, since nobody died. `received` is cheap where no share is new.
    """

    def __init__(self, places: Places, sessions: Sessions, facts: Facts, policy: RetryPolicy, teller: Teller) -> None:
        self._places, self._sessions, self._facts, self._teller = places, sessions, facts, teller
        self._delay = timedelta(seconds=policy.suspect_delays[0])
        self._shares: dict[Any, _Share] = {}
        self._known: set[Any] = set()

    @property
    def active(self) -> bool:
        """Whether the next message goes alone."""
        return any(share.left > 0 for share in self._shares.values())

    async def received(self, items: Sequence[Item]) -> None:
        """Items were read: count the start of shares that are new. Raises StorageUnavailable."""
        new = [place for place in dict.fromkeys(map(self._places.of, items)) if place not in self._known]
        if new and (real := [place for place in new if place is not None]):
            for place, start in (await self._places.begin(real)).items():
                self._shares[place] = _Share(start)
                self._known.add(place)
        if self._shares:
            for item in items:
                share = self._shares.get(self._places.of(item))
                if share is not None and not share.settled:
                    share.received.append(item)

    async def before(self, items: Sequence[Item]) -> None:
        """Give a suspect its outcome, mark what goes alone. Raises StorageUnavailable."""
        if not self._shares:
            return
        behind: set[OrderKey] = set()
        for item in items:
            if item.order_key in behind:
                item.outcome = PARKED
                continue
            place = self._places.of(item)
            share = self._shares.get(place)
            if share is None:
                continue
            if share.suspect is not None and share.suspect == self._places.name_of(item):
                if await self._is_suspect(item) and item.order_key is not None:
                    behind.add(item.order_key)
            elif share.left > 0:
                share.left -= 1
                await self._places.mark(place, item, 0 if share.settled else share.starts)

    async def after(self, items: Sequence[Item]) -> None:
        """These are decided: where the first of a share that was not decided before is, its owner got on."""
        if not self._shares or not items:
            return
        self._clear_suspects(items)
        done: dict[Any, _Share] = {}
        for place, share in list(self._shares.items()):
            while share.received and share.received[0].outcome is not None:
                share.settled |= share.received.popleft().outcome not in {DUPLICATE, STANDING}
            if share.settled:
                share.received.clear()
            if share.settled and share.left <= 0:
                done[place] = share
        if done:
            await self._places.forget(list(done))
        for place, share in done.items():
            if self._shares.get(place) is share:
                del self._shares[place]

    async def leave(self, places: Sequence[Any] | None = None) -> None:
        """These shares are given back, or all; what is undecided of them killed nobody. Raises StorageUnavailable."""
        left = list(self._shares) if places is None else [place for place in places if place in self._shares]
        for place in list(self._known) if places is None else places:
            self._known.discard(place)
            self._shares.pop(place, None)
        if left:
            await self._places.forget(left)

    def again(self) -> None:
        """The round failed: what was undecided of the shares that are still held is received again."""
        if not self._places.lasting:
            self._shares.clear()
            self._known.clear()
        for share in self._shares.values():
            share.received.clear()

    def _clear_suspects(self, items: Sequence[Item]) -> None:
        """A suspect that is decided, and written, is looked for no more."""
        for item in items:
            share = self._shares.get(self._places.of(item))
            if share is not None and share.suspect == self._places.name_of(item):
                share.suspect = None

    async def _is_suspect(self, item: Item) -> bool:
        """The item was found marked at the third start: it is set aside, unless it has its receipt."""
        facts = self._facts
        receipts = await self._sessions.run(find_receipts(facts.consumer_id, [item.message_id], arrays=facts.arrays))
        if item.message_id in receipts:
            return False
        item.outcome = Failed(
            CRASHED.code, CRASHED.reason, Failure.UNCOUNTED, self._delay, in_place=False, cause=SUSPECT
        )
        self._teller.suspected(item, CRASHED.code)
        return True
