"""Giving out messages so that two slots never have one key at a time."""

import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.consumer.buffer import Buffer, Head
from outrider.consumer.item import Item


def item(number: int, key: str | None) -> Item:
    message_id = UUID(int=number + 1)
    return Item(message_id, str(message_id), 0, "topic", key, None, number)


def numbers(batch: list[Item] | Head | None) -> list[int]:
    assert isinstance(batch, list)
    return [one.origin for one in batch]


@given(
    keys=st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60),
    shares=st.lists(st.integers(1, 7), min_size=1, max_size=30),
    returns=st.lists(st.integers(0, 3), min_size=1, max_size=30),
)
def test_each_key_in_order_and_in_one_slot_alone(keys: list[str | None], shares: list[int], returns: list[int]) -> None:
    """OB-68, OB-4: whatever the sizes of batches and the order in which they end, nothing is lost."""

    async def play() -> None:
        buffer = Buffer(1_000)
        buffer.put(item(number, key) for number, key in enumerate(keys))
        held: list[list[Item]] = []
        given_out: list[Item] = []
        step = 0
        while len(given_out) < len(keys) or held:
            step += 1
            if buffer.ready:
                batch = buffer._next(shares[step % len(shares)])
                if batch:
                    assert isinstance(batch, list)
                    busy = {one.order_key for other in held for one in other if one.order_key}
                    assert not busy & {one.order_key for one in batch}
                    held.append(batch)
                    given_out += batch
            if held and (not buffer.ready or returns[step % len(returns)]):
                buffer.give_back(held.pop(returns[step % len(returns)] % len(held)))
        for key in ("a", "b", "c"):
            mine = [one.origin for one in given_out if one.order_key == ("topic", key)]
            assert mine == sorted(mine)
        assert len({one.origin for one in given_out}) == len(keys)
        assert buffer.room == 1_000

    asyncio.run(play())


async def test_a_due_row_goes_first_and_takes_its_key() -> None:
    """OB-68: a retry and a new message of a key never run side by side."""
    buffer = Buffer(10)
    buffer.put([item(0, "a"), item(1, "b")])
    head = Head(7, ("topic", "a"))
    buffer.put_heads([head, head])
    assert await buffer.take(5) is head
    assert numbers(await buffer.take(5)) == [1]
    buffer.head_done(head)
    assert numbers(await buffer.take(5)) == [0]


async def test_a_pause_holds_and_a_close_ends() -> None:
    """OB-42, OB-44: nothing is given out while a pause holds, and nothing more after the end."""
    buffer = Buffer(10)
    buffer.put([item(0, None)])
    buffer.hold(on=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await buffer.take(1)
    buffer.hold(on=False)
    assert numbers(await buffer.take(1)) == [0]
    buffer.close()
    assert await buffer.take(1) is None


async def test_room_comes_back_when_half_is_free() -> None:
    """OB-69, H33: a full buffer says so, and says when the source may go on."""
    buffer = Buffer(4)
    buffer.put(item(number, "a") for number in range(4))
    assert buffer.room == 0
    assert not await buffer.wait_room(0.001)
    batch = await buffer.take(3)
    assert isinstance(batch, list)
    buffer.give_back(batch)
    assert await buffer.wait_room(0.001)
    assert [one.origin for one in buffer.clear()] == [3]
