"""A psycopg connection that takes a large answer in one go.

The server sends eight kilobytes at a time, and a trip round the event loop for each of them cost as much as making the rows
(measured: 200,000 rows of 600 bytes in batches of 500, 1.1 s of CPU; so 0.5 s). Once an answer has begun to arrive and goes
on, the next pieces are waited for in place, a millisecond at most for each and a limited number of them; then the event loop
is asked again. Small answers come in one piece and are not concerned.

What is sent is sent in place: there is room for it nearly always, and each statement of a pipeline would go once round the
loop for nothing.
"""

import select
from collections.abc import Generator
from typing import Any, Final, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.waiting import Ready, Wait

T = TypeVar("T")

PIECE_MILLISECONDS: Final = 1
PIECES_MAX: Final = 64
"""Of 16 kB at most: a batch; a larger answer lets others run in between."""

Driven = Generator[Any, Any, T]


class StreamingConnection(AsyncConnection[TupleRow]):
    """`wait` is the method through which all of psycopg's waiting goes."""

    async def wait(self, gen: Driven[T], *args: Any, **kwargs: Any) -> T:  # noqa: ANN401 - passed on as they came
        """Drive psycopg's generator to its end."""
        return await super().wait(_in_one_go(gen, self.fileno()), *args, **kwargs)


def _in_one_go(gen: Driven[T], socket: int) -> Driven[T]:
    """Drive `gen`, asking for the event loop only before an answer begins, when its next piece does not come, or when the
    server takes no more.
    """
    there, room = select.poll(), select.poll()
    there.register(socket, select.POLLIN)
    room.register(socket, select.POLLOUT)
    try:
        state = next(gen)
        while True:
            if state & Wait.W and room.poll(0):
                state = gen.send(Ready.W)
                continue
            ready = yield state
            state = gen.send(ready)
            pieces = PIECES_MAX if ready & Ready.R else 0
            while pieces and state == Wait.R and there.poll(PIECE_MILLISECONDS):
                state = gen.send(Ready.R)
                pieces -= 1
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # StopIteration.value is Any by nature
