"""Reads that see one moment of the database, and what they may not do: ST-3, ST-62."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from steward.ports.rows.calendar import TaskRow
from steward.ports.rows.person import TokenRow, UserRow
from steward.ports.storage import NoSuchPerson, Reading, Writing
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.parts import NOON, PERSON, Database

TASK = TaskRow("tsk_1", PERSON, "Lab report", 2, 90, NOON)


async def tasks(tx: Reading) -> int:
    return await tx.count(TaskRow, {})


async def elsewhere(work: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401  what it gives
    """In another task."""

    async def run() -> Any:  # noqa: ANN401  what it gives
        return await work()

    return await asyncio.create_task(run())


def open_connections(storage: Any) -> int:  # noqa: ANN401  an AlchemyStorage with its insides
    return int(storage._engine.pool.checkedout())


async def test_reads_at_one_moment_are_one_transaction(anywhere: Database) -> None:
    """Another's commit in between is not seen, and the clock stands; a read outside of it sees what is there."""
    storage = anywhere.storage

    async def look() -> tuple[int, int, bool, int]:
        first, began = await storage.read(tasks), await storage.read(moment)
        await elsewhere(lambda: storage.change(PERSON, lambda tx: tx.insert(TASK)))
        inner = await storage.at_one_moment(lambda: storage.read(tasks))
        same = await storage.read(moment) == began
        assert open_connections(storage) == 1
        return first, inner, same, await elsewhere(lambda: storage.read(tasks))

    async def moment(tx: Reading) -> object:
        return tx.now

    assert await storage.at_one_moment(look) == (0, 0, True, 1)
    assert open_connections(storage) == 0
    assert await storage.read(tasks) == 1


async def test_nothing_is_written_at_one_moment(storage: AlchemyStorage) -> None:
    """ST-62: what a page reads at one moment cannot change anything, whichever way it tries."""

    async def insert(tx: Writing) -> None:
        await tx.insert(TASK)

    async def look() -> None:
        await storage.read(tasks)
        with pytest.raises(RuntimeError, match="writes nothing"):
            await storage.change(PERSON, insert)
        with pytest.raises(RuntimeError, match="writes nothing"):
            await storage.write(insert)

    await storage.at_one_moment(look)
    assert await storage.read(tasks) == 0


async def test_a_note_is_written_when_the_moment_is_over(storage: AlchemyStorage) -> None:
    """ST-62: `last_used_at` waits for its end; outside it is written at once; of a moment that failed nothing is."""
    await storage.write(lambda tx: tx.insert(TokenRow("hash_1", PERSON, "t", "tasks")))

    async def rename(name: str) -> str:
        await storage.note(lambda tx: tx.change(TokenRow, {"hash": "hash_1"}, {"name": name}))
        return await named()

    async def named() -> str:
        row = await storage.read(lambda tx: tx.one(TokenRow, {"hash": "hash_1"}))
        assert row is not None
        return row.name

    async def fails() -> None:
        await rename("c")
        raise LookupError

    assert await storage.at_one_moment(lambda: rename("a")) == "t"
    assert await named() == "a"
    assert await rename("b") == "b"
    with pytest.raises(LookupError):
        await storage.at_one_moment(fails)
    assert await named() == "b"


async def test_a_moment_gives_its_connection_back_however_it_ends(anywhere: Database) -> None:
    storage = anywhere.storage
    begun, never = asyncio.Event(), asyncio.Event()

    async def fails() -> None:
        await storage.read(tasks)
        raise NoSuchPerson(PERSON)

    async def rests() -> None:
        await storage.read(tasks)
        begun.set()
        await never.wait()

    with pytest.raises(NoSuchPerson):
        await storage.at_one_moment(fails)
    assert open_connections(storage) == 0
    resting = asyncio.create_task(storage.at_one_moment(rests))
    await begun.wait()
    assert open_connections(storage) == 1
    resting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await resting
    assert open_connections(storage) == 0
    assert await storage.read(tasks) == 0


async def test_a_moment_that_reads_nothing_asks_for_no_connection(storage: AlchemyStorage) -> None:
    async def look() -> int:
        return open_connections(storage)

    assert await storage.at_one_moment(look) == 0


async def test_a_row_is_read_once_at_a_moment(storage: AlchemyStorage) -> None:
    """The same row, asked for by the same key; another person's is another."""
    person = {"user_id": PERSON}

    async def look() -> None:
        first = await storage.read(lambda tx: tx.one(UserRow, person))
        assert first is not None
        assert await storage.read(lambda tx: tx.one(UserRow, person)) is first
        assert await storage.read(lambda tx: tx.one(UserRow, {"user_id": "usr_nobody"})) is None
        assert await storage.read(lambda tx: tx.one(TaskRow, person)) is None

    await storage.at_one_moment(look)
