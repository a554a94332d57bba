"""Messages that wait for a slot, given out so that two slots never have one key at a time.

Invariant: messages of a key are given out in the order in which they were put in, and no more of it while a slot has
some; messages without a key go anywhere (OB-68). One event loop.
"""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from outrider.consumer.item import Item
from outrider.core.inbox import OrderKey


@dataclass(frozen=True, slots=True)
class Head:
    """A row whose time has come: the id that its store knows it by, its key, and its cause."""

    id: Hashable
    order_key: OrderKey | None
    cause: str = ""


class Buffer:
    """Holds at most about `limit` messages, and the heads that are due."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ready: deque[Item] = deque()
        self._heads: deque[Head] = deque()
        self._head_ids: set[Hashable] = set()
        self._busy: dict[OrderKey, list[Item]] = {}
        self._held = 0
        self._takers: deque[asyncio.Future[None]] = deque()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._closed = False
        self._holding = False
        self._keeping = False
        self._out = 0
        self.narrow = False
        """One message or row at a time: the next is given out when the one before is back."""

    @property
    def room(self) -> int:
        """How many more messages to receive."""
        return self._limit - len(self._ready) - self._held

    @property
    def ready(self) -> int:
        """How many messages wait whose key may be free."""
        return len(self._ready)

    async def wait_room(self, timeout_seconds: float) -> bool:
        """Wait until half of the room is free; after the timeout say whether any is."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._roomy.wait()
        except TimeoutError:
            return self.room > 0
        return True

    def put(self, items: Iterable[Item]) -> None:
        """Take messages in, in the order of their source."""
        self._ready.extend(items)
        if self.room <= 0:
            self._roomy.clear()
        self._wake(1)

    def put_heads(self, heads: Sequence[Head]) -> None:
        """Take due rows in; one that waits or is being tried already is passed over."""
        for head in heads:
            if head.id not in self._head_ids:
                self._head_ids.add(head.id)
                self._heads.append(head)
        self._wake(1)

    async def take(self, share: int) -> list[Item] | Head | None:
        """Give a due row, or up to `share` messages, waiting for some; None once the buffer is closed.

        Their keys are busy until `give_back` or `free_head`.
        """
        while not self._closed:
            found = None if self._holding or (self.narrow and self._out) else self._next(1 if self.narrow else share)
            if found:
                self._out += 1
                if self._ready or self._heads:
                    self._wake(1)
                return found
            waiting = asyncio.get_running_loop().create_future()
            self._takers.append(waiting)
            try:
                await waiting
            except asyncio.CancelledError:
                if waiting.done() and not waiting.cancelled():
                    self._wake(1)
                raise
        return None

    def give_back(self, batch: Sequence[Item]) -> None:
        """The batch is decided: what waited for its keys may go, before all that came later."""
        for key in dict.fromkeys(item.order_key for item in batch):
            if key is not None:
                self._release(key)
        self._returned()

    def head_done(self, head: Head) -> None:
        """The row is decided, or nobody's business any more."""
        self._head_ids.discard(head.id)
        if head.order_key is not None:
            self._release(head.order_key)
        self._returned()

    def close(self) -> None:
        """Give out nothing more."""
        self._closed = True
        self._wake(len(self._takers))

    def clear(self) -> list[Item]:
        """Forget everything; gives the messages that no slot had."""
        dropped = [*self._ready, *(item for waiting in self._busy.values() for item in waiting)]
        self._ready.clear()
        self._heads.clear()
        self._head_ids.clear()
        self._busy.clear()
        self._held = 0
        self._roomed()
        return dropped

    def hold(self, *, on: bool) -> None:
        """Give out nothing while a person's pause holds, or may."""
        self._holding = on
        if not on:
            self._wake(1)

    def keep(self, *, on: bool) -> None:
        """Give out due rows alone, and no message, while as much is set aside as may be (OB-60)."""
        self._keeping = on
        if not on:
            self._wake(1)

    def _next(self, share: int) -> list[Item] | Head | None:
        head = self._free_head() if self._heads else None
        return head or (self._batch(share) if self._ready and not self._keeping else None)

    def _batch(self, share: int) -> list[Item]:
        batch: list[Item] = []
        own: set[OrderKey] = set()
        ready, busy = self._ready, self._busy
        while ready and len(batch) < share:
            item = ready.popleft()
            key = item.order_key
            if key is None or key in own:
                batch.append(item)
            elif (waiting := busy.get(key)) is not None:
                waiting.append(item)
                self._held += 1
            else:
                busy[key] = []
                own.add(key)
                batch.append(item)
        return batch

    def _free_head(self) -> Head | None:
        for _ in range(len(self._heads)):
            head = self._heads.popleft()
            if head.order_key is None:
                return head
            if head.order_key not in self._busy:
                self._busy[head.order_key] = []
                return head
            self._heads.append(head)
        return None

    def _release(self, key: OrderKey) -> None:
        waiting = self._busy.pop(key, None)
        if waiting:
            self._held -= len(waiting)
            self._ready.extendleft(reversed(waiting))
        if waiting or self._heads:
            self._wake(1)

    def _returned(self) -> None:
        self._out -= 1
        if self.narrow:
            self._wake(1)
        self._roomed()

    def _roomed(self) -> None:
        if self.room * 2 >= self._limit:
            self._roomy.set()

    def _wake(self, count: int) -> None:
        while count > 0 and self._takers:
            waiting = self._takers.popleft()
            if not waiting.done():
                waiting.set_result(None)
                count -= 1
