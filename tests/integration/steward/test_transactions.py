"""What one transaction promises: ST-3, ST-4, ST-5, ST-46, ST-47, ST-65, ST-66."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from outrider import message_id
from outrider.testing.clock import ManualClock
from steward.ports.rows.calendar import CalendarRow, TaskRow
from steward.ports.rows.person import TokenRow, UserRow
from steward.ports.storage import (
    Busy,
    NoSuchPerson,
    OutgoingMessage,
    Raise,
    Reading,
    Taken,
    Unavailable,
    Writing,
)
from steward.storage.engine import open_pool
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.parts import NOON, PERSON, Database, Sent

PROMOTE = OutgoingMessage(
    "task.urgency.promote.requested", PERSON, "job_1", {"user_id": PERSON, "task_ids": ["tsk_1"]}, trace_id="ab" * 16
)


def task(task_id: str) -> TaskRow:
    return TaskRow(task_id, PERSON, "Lab report", 2, 90, NOON)


async def titles(storage: AlchemyStorage) -> list[str]:
    rows = await storage.read(lambda tx: tx.all(TaskRow, {}, order=["task_id"]))
    return [row.title for row in rows]


async def messages(database: Database) -> int:
    async with database.engine.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM steward_outbox_message"))).scalar_one())


async def test_rows_and_message_commit_or_roll_back_together(anywhere: Database) -> None:
    """ST-4."""
    before = await messages(anywhere)

    async def work(tx: Writing) -> None:
        await tx.insert(task("tsk_1"))
        await tx.add(PROMOTE)

    async def fails(tx: Writing) -> None:
        await work(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await anywhere.storage.change(PERSON, fails)
    assert (await titles(anywhere.storage), await messages(anywhere)) == ([], before)
    await anywhere.storage.change(PERSON, work)
    assert (await titles(anywhere.storage), await messages(anywhere)) == (["Lab report"], before + 1)


async def test_many_rows_are_changed_at_once_each_by_its_own_key(anywhere: Database) -> None:
    """ST-4, ST-5: a row that is no longer as it was is not changed, and not counted."""
    await anywhere.storage.change(PERSON, lambda tx: tx.insert_all([task(f"tsk_{number}") for number in range(4)]))

    def to(number: int, version: int) -> tuple[dict[str, object], dict[str, object]]:
        return {"task_id": f"tsk_{number}", "version": version}, {"title": f"Task {number}", "version": 7}

    async def work(tx: Writing) -> tuple[int, int, int]:
        three = await tx.change_each(TaskRow, [to(0, 1), to(1, 2), to(2, 1), to(3, 1)])
        return three, await tx.change_each(TaskRow, [to(1, 1)]), await tx.change_each(TaskRow, [])

    assert await anywhere.storage.change(PERSON, work) == (3, 1, 0)
    assert await titles(anywhere.storage) == [f"Task {number}" for number in range(4)]


async def test_message_ids_follow_from_row_ids(storage: AlchemyStorage, sent: Callable[[], list[Sent]]) -> None:
    """ST-65, ST-66: the id is computed from type and row; the trace is the correlation id, and what led to it is named."""
    requested = OutgoingMessage(
        "notification.requested",
        PERSON,
        "prv_b",
        {"recipient_id": PERSON, "kind": "important_urgent_task", "title": None},
        trace_id="ab" * 16,
        traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01",
        causation_id="b24ce66f-ea99-52eb-8e26-cacf51e433a1",
    )

    async def work(tx: Writing) -> None:
        await tx.add(requested)
        await tx.add(requested, PROMOTE)
        await tx.add()

    await storage.change(PERSON, work)
    first, second = sent()
    assert first.message_id == UUID("b24ce66f-ea99-52eb-8e26-cacf51e433a1")
    assert (first.key, first.body) == (PERSON, {"recipient_id": PERSON, "kind": "important_urgent_task"})
    assert (first.correlation_id, first.causation_id) == ("ab" * 16, "b24ce66f-ea99-52eb-8e26-cacf51e433a1")
    assert first.trace is not None
    assert f"00-{'ab' * 16}-{'cd' * 8}-01" in first.trace
    assert second.message_id == message_id("steward", "task.urgency.promote.requested:job_1")


async def test_a_person_is_changed_by_one_at_a_time(anywhere: Database) -> None:
    """ST-47: the second waits for the first, and sees what it wrote; the clock it is given is not older."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    seen: list[tuple[int, datetime]] = []

    async def first(tx: Writing) -> None:
        await tx.change(CalendarRow, {"user_id": PERSON}, {"revision": Raise()})
        begun.set()
        await go_on.wait()
        seen.append((0, tx.now))

    async def second(tx: Writing) -> None:
        found = await tx.one(CalendarRow, {"user_id": PERSON})
        assert found is not None
        seen.append((found.revision, tx.now))

    async with asyncio.TaskGroup() as group:
        group.create_task(anywhere.storage.change(PERSON, first))
        await begun.wait()
        waiting = group.create_task(anywhere.storage.change(PERSON, second))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        go_on.set()
    assert [revision for revision, _ in seen] == [0, 1]
    assert seen[0][1] <= seen[1][1]


async def test_a_lock_that_is_not_had_in_time_is_busy(anywhere: Database) -> None:
    """ST-47, ST-54: on SQLite the file's one writer is everybody's lock."""

    async def inner(tx: Writing) -> None:
        await tx.insert(task("tsk_never"))

    async def outer(tx: Writing) -> None:
        await tx.insert(task("tsk_1"))
        with pytest.raises(Busy):
            await anywhere.storage.change(PERSON, inner)

    await anywhere.storage.change(PERSON, outer)
    assert await titles(anywhere.storage) == ["Lab report"]


@pytest.mark.parametrize("user_id", ["usr_nobody", "", "usr anna", "课", "u" * 65])
async def test_nobody_is_no_person(anywhere: Database, user_id: str) -> None:
    with pytest.raises(NoSuchPerson):
        await anywhere.storage.change(user_id, lambda tx: tx.insert(task("tsk_1")))
    assert await titles(anywhere.storage) == []


async def test_persons_do_not_wait_for_each_other(anywhere: Database) -> None:
    if anywhere.dialect == "sqlite":
        pytest.skip("a file has one writer")

    async def another(tx: Writing) -> None:
        await tx.insert(UserRow("usr_ben", "Ben"))
        await tx.insert(CalendarRow("usr_ben"))

    await anywhere.storage.write(another)

    async def outer(tx: Writing) -> None:
        await tx.insert(task("tsk_1"))
        await anywhere.storage.change(
            "usr_ben", lambda tx: tx.insert(TaskRow("tsk_2", "usr_ben", "Ben's", 1, 30, NOON))
        )

    await anywhere.storage.change(PERSON, outer)
    assert await titles(anywhere.storage) == ["Lab report", "Ben's"]


async def test_every_read_sees_the_same_moment(anywhere: Database) -> None:
    async def look(tx: Reading) -> tuple[int, int]:
        before = await tx.count(TaskRow, {})
        await anywhere.storage.change(PERSON, lambda tx: tx.insert(task("tsk_1")))
        return before, await tx.count(TaskRow, {})

    assert await anywhere.storage.read(look) == (0, 0)
    assert await titles(anywhere.storage) == ["Lab report"]


async def test_now_is_the_databases_clock(anywhere: Database, clock: ManualClock) -> None:
    """ST-5: on SQLite the clock that was handed in; what was written carries it."""

    async def moment(tx: Reading) -> datetime:
        return tx.now

    if anywhere.dialect == "sqlite":
        assert await anywhere.storage.read(moment) == NOON
        clock.advance(timedelta(hours=1))
        assert await anywhere.storage.change(PERSON, moment) == NOON + timedelta(hours=1)
        return
    async with anywhere.engine.connect() as connection:
        theirs = (
            "SELECT extract(epoch from now())" if anywhere.dialect == "postgresql" else "SELECT UNIX_TIMESTAMP(NOW(6))"
        )
        now = float((await connection.execute(text(theirs))).scalar_one())
    for found in (
        await anywhere.storage.read(moment),
        await anywhere.storage.write(moment),
        await anywhere.storage.change(PERSON, moment),
    ):
        assert found.utcoffset() == timedelta(0)
        assert abs(found.timestamp() - now) < 60


async def test_the_work_is_done_again_after_a_deadlock(anywhere: Database) -> None:
    """ST-46: two transactions that each want what the other holds; both take effect, one of them at its second go."""
    if anywhere.dialect == "sqlite":
        pytest.skip("a file has one writer, so nobody waits for another's row")
    tokens = [TokenRow(f"hash_{number}", PERSON, "t", "tasks") for number in (1, 2)]
    await anywhere.storage.write(lambda tx: tx.insert_all(tokens))
    tries: list[str] = []
    both = asyncio.Barrier(2)

    async def crossing(first: str, second: str) -> None:
        async def work(tx: Writing) -> None:
            tries.append(first)
            await tx.change(TokenRow, {"hash": first}, {"name": first})
            if len(tries) <= 2:
                await both.wait()
            await tx.change(TokenRow, {"hash": second}, {"name": first})

        await patient.write(work)

    patient = anywhere.patient()
    await asyncio.gather(crossing("hash_1", "hash_2"), crossing("hash_2", "hash_1"))
    await patient.close()
    assert len(tries) == 3
    rows = await anywhere.storage.read(lambda tx: tx.all(TokenRow, {}))
    assert {row.name for row in rows} == {tries[-1]}


async def test_a_connection_that_is_lost_leaves_nothing(anywhere: Database) -> None:
    """A lost connection is Unavailable, and the next transaction has another one."""
    if anywhere.dialect == "sqlite":
        pytest.skip("a file has no connection to lose")
    kill = "SELECT pg_terminate_backend(:id)" if anywhere.dialect == "postgresql" else "KILL :id"
    asked = "SELECT pg_backend_pid()" if anywhere.dialect == "postgresql" else "SELECT CONNECTION_ID()"

    async def work(tx: Any) -> None:  # noqa: ANN401  the adapter's own
        await tx.insert(task("tsk_1"))
        number = (await tx._connection.execute(text(asked))).scalar_one()
        async with anywhere.engine.connect() as connection:
            await connection.execute(text(kill), {"id": number})
        await tx.insert(task("tsk_2"))

    with pytest.raises(Unavailable):
        await anywhere.storage.change(PERSON, work)
    assert await titles(anywhere.storage) == []


async def test_a_connection_that_died_while_it_rested_is_replaced(anywhere: Database) -> None:
    """H20: nobody is told of it."""
    if anywhere.dialect != "postgresql":
        pytest.skip("a file has no connection to lose, and MariaDB's is asked each time")
    engine, number = open_pool(anywhere.url, ping_after=0), 0
    for _ in range(2):
        async with engine.connect() as connection:
            number = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        async with anywhere.engine.connect() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(:id, 5000)"), {"id": number})
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one() != number
    await engine.dispose()


async def test_a_savepoint_takes_back_only_its_own(anywhere: Database) -> None:
    async def work(tx: Writing) -> None:
        await tx.insert(task("tsk_1"))

        async def inner() -> None:
            await tx.insert(task("tsk_2"))
            await tx.add(PROMOTE)
            raise LookupError

        with pytest.raises(LookupError):
            await tx.savepoint(inner)

        async def taken() -> None:
            with pytest.raises(Taken):
                await tx.insert(task("tsk_1"))

        with pytest.raises(RuntimeError, match="Taken"):
            await tx.savepoint(taken)
        assert await tx.savepoint(lambda: tx.count(TaskRow, {})) == 1

    before = await messages(anywhere)
    await anywhere.storage.change(PERSON, work)
    assert (await titles(anywhere.storage), await messages(anywhere)) == (["Lab report"], before)


async def test_a_body_that_breaks_its_type_is_never_added(
    storage: AlchemyStorage, sent: Callable[[], list[Sent]]
) -> None:
    """§14: adding validates strictly."""
    wrong: list[dict[str, Any]] = [
        {"user_id": PERSON, "task_ids": []},
        {"user_id": PERSON, "task_ids": ["tsk_1", "tsk_1"]},
        {"user_id": PERSON, "task_ids": ["tsk_1"], "more": 1},
        {"task_ids": ["tsk_1"]},
    ]
    for body in wrong:
        message = OutgoingMessage("task.urgency.promote.requested", PERSON, "job_1", body)
        with pytest.raises(ValueError, match="TaskUrgencyPromoteRequested"):
            await storage.change(PERSON, lambda tx, message=message: tx.add(message))  # type: ignore[misc]  # bound now
    assert sent() == []
