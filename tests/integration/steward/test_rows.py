"""Rows come back as they were written, and conditions find the same on every database: spec/scheduling.md §2."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import StatementError

from steward.ports.rows.calendar import EventRow, SourceRow, TaskRow
from steward.ports.rows.person import LinkRow, ModelUseRow, UserRow
from steward.ports.storage import Is, Raise, Reading, Taken, Writing
from steward.storage.tables import TABLES
from tests.integration.steward.parts import NOON, PERSON, Database
from tests.integration.steward.rows import full_row


def task(number: int, **fields: Any) -> TaskRow:  # noqa: ANN401  any field
    usual: dict[str, Any] = {
        "task_id": f"tsk_{number}", "user_id": PERSON, "title": f"Task {number}", "priority_group": 3,
        "duration_minutes": 60, "created_at": NOON + timedelta(minutes=number),
    }  # fmt: skip
    return TaskRow(**usual | fields)


def event(number: int, **fields: Any) -> EventRow:  # noqa: ANN401  any field
    usual: dict[str, Any] = {
        "event_id": f"evt_{number}", "user_id": PERSON, "title": "Lecture", "zone": "UTC", "start_at": NOON,
        "end_at": NOON + timedelta(hours=1), "created_at": NOON,
    }  # fmt: skip
    return EventRow(**usual | fields)


async def test_every_row_comes_back_as_it_was_written(anywhere: Database) -> None:
    rows = [full_row(kind) for kind in TABLES]

    async def write(tx: Writing) -> None:
        for row in rows:
            await tx.insert(row)

    async def read(tx: Reading) -> list[Any]:
        return [
            await tx.one(type(row), {key.name: getattr(row, key.name) for key in TABLES[type(row)].primary_key.columns})
            for row in rows
        ]

    await anywhere.storage.write(write)
    assert await anywhere.storage.read(read) == rows


async def test_conditions_find_the_same_everywhere(anywhere: Database) -> None:
    rows = [
        task(1),
        task(2, deadline_at=NOON, status="completed"),
        task(3, deadline_at=NOON + timedelta(microseconds=1), parent_id="tsk_1"),
    ]
    cases: list[tuple[dict[str, object], list[int]]] = [
        ({}, [1, 2, 3]),
        ({"status": "open"}, [1, 3]),
        ({"status": Is("!=", "open")}, [2]),
        ({"parent_id": None}, [1, 2]),
        ({"parent_id": Is("not null")}, [3]),
        ({"parent_id": Is("!=", "x y")}, [3]),
        ({"deadline_at": Is("<", NOON)}, []),
        ({"deadline_at": Is("<=", NOON)}, [2]),
        ({"deadline_at": Is(">", NOON)}, [3]),
        ({"deadline_at": Is(">=", NOON), "status": "completed"}, [2]),
        ({"task_id": Is("in", ("tsk_1", "tsk_3", "tsk_9", "课"))}, [1, 3]),
        ({"task_id": Is("in", ())}, []),
        ({"task_id": "TSK_1"}, []),
        ({"task_id": "tsk_1 "}, []),
        ({"task_id": "课"}, []),
        ({"task_id": "a\x00b"}, []),
        ({"task_id": "x" * 300}, []),
        ({"title": "task 1"}, []),
    ]

    async def look(tx: Reading) -> list[list[str]]:
        return [[row.task_id for row in await tx.all(TaskRow, where, order=["task_id"])] for where, _ in cases]

    await anywhere.storage.write(lambda tx: tx.insert_all(rows))
    assert await anywhere.storage.read(look) == [[f"tsk_{number}" for number in found] for _, found in cases]
    assert await anywhere.storage.read(lambda tx: tx.count(TaskRow, {"status": "open"})) == 2


async def test_absent_values_come_first_in_an_order_and_last_in_its_reverse(anywhere: Database) -> None:
    await anywhere.storage.write(
        lambda tx: tx.insert_all([task(1, deadline_at=NOON + timedelta(days=1)), task(2), task(3, deadline_at=NOON)])
    )

    async def ids(*order: str) -> list[str]:
        found = await anywhere.storage.read(lambda tx: tx.all(TaskRow, {}, order=order))
        return [row.task_id for row in found]

    assert await ids("deadline_at") == ["tsk_2", "tsk_3", "tsk_1"]
    assert await ids("-deadline_at", "task_id") == ["tsk_1", "tsk_3", "tsk_2"]
    newest = await anywhere.storage.read(lambda tx: tx.all(TaskRow, {}, order=["-created_at"], limit=2))
    assert [row.task_id for row in newest] == ["tsk_3", "tsk_2"]


async def test_a_change_counts_its_rows_and_raises_numbers(anywhere: Database) -> None:
    async def work(tx: Writing) -> tuple[int, int, TaskRow | None]:
        await tx.insert_all([task(1), task(2)])
        changed = await tx.change(
            TaskRow, {"task_id": "tsk_1", "version": 1}, {"title": "New", "version": Raise(), "note": None}
        )
        missed = await tx.change(TaskRow, {"task_id": "tsk_1", "version": 1}, {"title": "Newer"})
        return changed, missed, await tx.one(TaskRow, {"task_id": "tsk_1"})

    changed, missed, row = await anywhere.storage.change(PERSON, work)
    assert (changed, missed) == (1, 0)
    assert row is not None
    assert (row.title, row.version) == ("New", 2)


async def test_a_deletion_stops_at_its_limit(anywhere: Database) -> None:
    async def work(tx: Writing) -> tuple[int, int, int]:
        await tx.insert_all([task(number) for number in range(5)])
        some = await tx.delete(TaskRow, {"user_id": PERSON}, limit=2)
        days = [ModelUseRow(PERSON, NOON.date() + timedelta(days=number)) for number in range(3)]
        await tx.insert_all(days)
        used = await tx.delete(ModelUseRow, {"day": Is(">=", NOON.date())}, limit=2)
        return some, used, await tx.delete(TaskRow, {"user_id": PERSON})

    assert await anywhere.storage.change(PERSON, work) == (2, 2, 3)


TAKEN: list[tuple[Any, Any, tuple[str, ...]]] = [
    (task(1), task(1), ("task_id",)),
    (UserRow("usr_b", "B"), UserRow("usr_b", "C"), ("user_id",)),
    (ModelUseRow(PERSON, NOON.date()), ModelUseRow(PERSON, NOON.date()), ("user_id", "day")),
    (event(1, makeup_slot="m"), event(2, makeup_slot="m"), ("makeup_slot",)),
    (
        event(1, source_id="src_1", uid="Ü@x"),
        event(2, source_id="src_1", uid="Ü@x"),
        ("source_id", "uid", "recurrence_id"),
    ),
]


@pytest.mark.parametrize(("first", "second", "key"), TAKEN, ids=[" ".join(key) for _, _, key in TAKEN])
async def test_a_taken_key_is_named_and_a_savepoint_goes_on(
    anywhere: Database,
    first: TaskRow | UserRow | ModelUseRow | EventRow,
    second: TaskRow | UserRow | ModelUseRow | EventRow,
    key: tuple[str, ...],
) -> None:
    async def work(tx: Writing) -> int:
        await tx.insert(first)
        with pytest.raises(Taken) as caught:
            await tx.savepoint(lambda: tx.insert(second))
        assert caught.value.key == key
        await tx.insert(task(7))
        return await tx.count(type(first), {})

    before = await anywhere.storage.read(lambda tx: tx.count(type(first), {}))
    after = await anywhere.storage.write(work)
    assert after == before + (2 if isinstance(first, TaskRow) else 1)


async def test_keys_that_differ_by_case_or_are_absent_take_nothing(anywhere: Database) -> None:
    rows = [
        event(1, source_id="src_1", uid="a"),
        event(2, source_id="src_1", uid="A"),
        event(3, source_id="src_1", uid="a "),
        event(4, source_id="src_1"),
        event(5, source_id="src_1"),
    ]
    await anywhere.storage.write(lambda tx: tx.insert_all(rows))
    assert await anywhere.storage.read(lambda tx: tx.count(EventRow, {"source_id": "src_1"})) == 5


async def test_a_taken_that_is_swallowed_without_a_savepoint_commits_nothing(anywhere: Database) -> None:
    async def swallow(tx: Writing) -> None:
        await tx.insert(task(1))
        try:
            await tx.insert(task(1))
        except Taken:
            return

    async def go_on(tx: Writing) -> None:
        with pytest.raises(Taken):
            await tx.insert_all([task(1), task(1)])
        await tx.count(TaskRow, {})

    for work in (swallow, go_on):
        with pytest.raises(RuntimeError, match="savepoint"):
            await anywhere.storage.change(PERSON, work)
    assert await anywhere.storage.read(lambda tx: tx.count(TaskRow, {})) == 0


WRONG: list[tuple[Any, str]] = [
    (task(1, title="x" * 256), "more than 255 characters"),
    (task(1, title="a\x00b"), "NUL"),
    (task(1, task_id="tsk 1"), "visible ASCII"),
    (task(1, task_id="t" * 65), "more than 64 characters"),
    (LinkRow("hash", PERSON, "view", "clé"), "visible ASCII"),
    (event(1, uid="🚲" * 256), "more than 255 characters"),
    (SourceRow("src_1", PERSON, "x" * 256, "feed", NOON), "more than 255 characters"),
]


@pytest.mark.parametrize(("row", "fault"), WRONG, ids=[fault for _, fault in WRONG])
async def test_what_does_not_fit_is_refused_before_the_write(anywhere: Database, row: Any, fault: str) -> None:  # noqa: ANN401  rows
    with pytest.raises(ValueError, match=fault):
        await anywhere.storage.write(lambda tx: tx.insert(row))


async def test_a_naive_datetime_is_no_instant(anywhere: Database) -> None:
    with pytest.raises(StatementError, match="naive"):
        await anywhere.storage.read(lambda tx: tx.count(TaskRow, {"created_at": NOON.replace(tzinfo=None)}))
