"""Tasks: each change writes the job that goes with it (ST-6), and ends what is shown of a task that is done (ST-39).

Invariant: task, job and previews change in one transaction under the person's lock. Source: spec/scheduling.md §12.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from steward.domain.checks import one_of
from steward.domain.errors import NotFound, ValidationFailed
from steward.domain.ids import parse_id, row_id
from steward.domain.task import check_fits
from steward.ports.chance import Chance
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow
from steward.ports.storage import Is, Raise, Reading, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed, expect_version
from steward.service.answer import keyed as under_key
from steward.service.changing import raise_revision
from steward.service.fields import flag, read_fields, required
from steward.service.jobs import newest_job, write_job
from steward.service.listing import Listing, Wanted
from steward.service.person import Defaults, profile_of
from steward.service.superseding import end_previews_of_task
from steward.service.task_fields import task_fields
from steward.service.views.tasks import block_view, task_view

IDS_MAX: Final = 100
_STATUSES: Final = ("open", "completed", "deleted")


class Tasks:
    """A person's tasks."""

    def __init__(self, *, storage: Storage, chance: Chance, listing: Listing, defaults: Defaults) -> None:
        self._storage = storage
        self._chance = chance
        self._listing = listing
        self._defaults = defaults

    async def create(
        self, caller: Caller, values: Mapping[str, object], *, keyed: Keyed | None = None, if_match: str | None = None
    ) -> Answer:
        """Make a task from its fields; `estimated_sections` stands for a duration on the person's grid (ST-15)."""
        del if_match

        async def work(tx: Writing) -> Answer:
            grid = (await profile_of(tx, caller.user_id, self._defaults)).grid
            fields = task_fields(values, grid)
            required(fields, "title", "priority_group", "duration_minutes")
            row = TaskRow(
                task_id=row_id("tsk", self._chance.uuid7()),
                user_id=caller.user_id,
                created_at=tx.now,
                **cast("dict[str, Any]", fields),
            )
            check_fits(row.task, grid)
            await _check_parent(tx, row)
            await tx.insert(row)
            row = await write_job(tx, None, row, self._chance)
            return await _answer(tx, row, status=201)

        return await under_key(self._storage, caller, keyed, "tasks.create", work)

    async def get(self, caller: Caller, task_id: str) -> dict[str, Any]:
        """The task. Raises NotFound, also for a deleted one."""

        async def work(tx: Reading) -> dict[str, Any]:
            return (await _views(tx, [await _own(tx, caller.user_id, task_id)]))[0]

        return await self._storage.read(work)

    async def brief(self, caller: Caller, task_id: str) -> dict[str, Any]:
        """The task as a line of text wants it: its job and its blocks are not looked for. Raises NotFound."""

        async def work(tx: Reading) -> dict[str, Any]:
            return task_view(await _own(tx, caller.user_id, task_id), None, (), tx.now)

        return await self._storage.read(work)

    async def list(
        self,
        caller: Caller,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: str | None = None,
        parent_id: str | None = None,
    ) -> dict[str, Any]:
        """A page of the tasks, deleted ones only where they are asked for."""
        where: dict[str, object] = {"user_id": caller.user_id, "status": Is("!=", "deleted")}
        if status is not None:
            where["status"] = one_of(status, "status", _STATUSES)
        if parent_id is not None:
            where["parent_id"] = parent_id
        filters = {"status": status, "parent_id": parent_id}
        wanted = Wanted(caller.user_id, "tasks", "task_id", limit, cursor, filters)

        async def work(tx: Reading) -> dict[str, Any]:
            rows, following = await self._listing.page(tx, TaskRow, where, wanted)
            return {"items": await _views(tx, rows), "next_cursor": following}

        return await self._storage.read(work)

    async def edit(
        self,
        caller: Caller,
        task_id: str,
        values: Mapping[str, object],
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """Change fields; what is given as it is already changes nothing and raises no version."""

        async def work(tx: Writing) -> Answer:
            before = await _own(tx, caller.user_id, task_id)
            expect_version(if_match, str(before.version))
            grid = (await profile_of(tx, caller.user_id, self._defaults)).grid
            fields = task_fields(values, grid)
            after = replace(before, **cast("dict[str, Any]", fields))
            if after == before:
                return await _answer(tx, before)
            after = replace(after, version=before.version + 1)
            if after.task.duration_minutes != before.duration_minutes:
                check_fits(after.task, grid)
            if after.parent_id != before.parent_id:
                await _check_parent(tx, after)
            await tx.change(TaskRow, {"task_id": task_id}, {**fields, "version": after.version})
            after = await write_job(tx, before, after, self._chance)
            return await _answer(tx, after)

        return await under_key(self._storage, caller, keyed, "tasks.edit", work)

    async def delete(
        self, caller: Caller, task_id: str, *, keyed: Keyed | None = None, if_match: str | None = None
    ) -> Answer:
        """End the task; its blocks stay in the calendar, its suggestions end."""

        async def work(tx: Writing) -> Answer:
            before = await _own(tx, caller.user_id, task_id)
            expect_version(if_match, str(before.version))
            after = await self._move(tx, before, status="deleted")
            return await _answer(tx, after)

        return await under_key(self._storage, caller, keyed, "tasks.delete", work)

    async def complete(
        self,
        caller: Caller,
        task_id: str,
        values: Mapping[str, object],
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """The task is done. Tells its blocks ahead; `free_blocks` cancels them, too."""
        free = bool(read_fields(values, {"free_blocks": flag}).get("free_blocks", False))

        async def work(tx: Writing) -> Answer:
            before = await _own(tx, caller.user_id, task_id)
            expect_version(if_match, str(before.version))
            after = before
            if changed := before.status != "completed":
                after = await self._move(tx, before, status="completed", completed_at=tx.now)
            return await self._ended(tx, after, changed=changed, free=free)

        return await under_key(self._storage, caller, keyed, "tasks.complete", work)

    async def undo_complete(
        self,
        caller: Caller,
        task_id: str,
        values: Mapping[str, object] | None = None,
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """The task is open again, with a job again where it has a threshold (ST-6)."""
        read_fields(values or {}, {})

        async def work(tx: Writing) -> Answer:
            before = await _own(tx, caller.user_id, task_id)
            expect_version(if_match, str(before.version))
            after = before
            if changed := before.status != "open":
                after = await self._move(tx, before, status="open", completed_at=None)
            return await self._ended(tx, after, changed=changed, free=False)

        return await under_key(self._storage, caller, keyed, "tasks.undo_complete", work)

    async def statuses(self, caller: Caller, values: Mapping[str, object]) -> dict[str, Any]:
        """The statuses of up to 100 tasks, in the order asked; what is not the caller's is left out."""
        required(values, "ids")
        ids = values["ids"]
        if set(values) != {"ids"} or not isinstance(ids, list) or not 1 <= len(ids) <= IDS_MAX:
            raise ValidationFailed("ids", f"a list of 1 to {IDS_MAX} ids, and nothing else")
        wanted = [parse_id(value, "ids") for value in ids]

        async def work(tx: Reading) -> dict[str, Any]:
            rows = await tx.all(TaskRow, {"user_id": caller.user_id, "task_id": Is("in", tuple(set(wanted)))})
            known = {row.task_id: row.status for row in rows}
            return {"items": [{"id": name, "status": known[name]} for name in wanted if name in known]}

        return await self._storage.read(work)

    async def _move(self, tx: Writing, before: TaskRow, **fields: Any) -> TaskRow:  # noqa: ANN401  columns of the row
        """Change a task's status, with its job and what is shown of it."""
        after = replace(before, **fields, version=before.version + 1)
        await tx.change(TaskRow, {"task_id": before.task_id}, {**fields, "version": after.version})
        if after.status != "open":
            await end_previews_of_task(tx, after, await _blocks(tx, after))
        return await write_job(tx, before, after, self._chance)

    async def _ended(self, tx: Writing, task: TaskRow, *, changed: bool, free: bool) -> Answer:
        ahead = [block for block in await _blocks(tx, task) if block.start_at > tx.now]
        if free and ahead:
            for block in ahead:
                await tx.change(
                    EventRow,
                    {"event_id": block.event_id, "version": block.version},
                    {"status": "cancelled", "makeup_slot": None, "version": Raise()},
                )
            await raise_revision(tx, task.user_id)
            ahead = [replace(block, status="cancelled", version=block.version + 1) for block in ahead]
        answer = await _answer(tx, task)
        more = {"changed": changed, "future_blocks": [block_view(block) for block in ahead]}
        return replace(answer, body={**answer.body, **more})


async def _own(tx: Reading, user_id: str, task_id: str) -> TaskRow:
    row = await tx.one(TaskRow, {"user_id": user_id, "task_id": task_id})
    if row is None or row.status == "deleted":
        raise NotFound("task", task_id)
    return row


async def _blocks(tx: Reading, task: TaskRow) -> list[EventRow]:
    where = {"user_id": task.user_id, "task_id": task.task_id, "status": Is("!=", "cancelled")}
    return await tx.all(EventRow, where, order=("start_at", "event_id"))


async def _answer(tx: Reading, task: TaskRow, *, status: int = 200) -> Answer:
    body = (await _views(tx, [task]))[0]
    location = f"/api/v1/tasks/{task.task_id}" if status == 201 else None  # noqa: PLR2004  created
    return Answer(status, body, etag=str(task.version), location=location, resource_id=task.task_id)


async def _views(tx: Reading, tasks: Sequence[TaskRow]) -> list[dict[str, Any]]:
    if not tasks:
        return []
    ids = Is("in", tuple(task.task_id for task in tasks))
    user_id = tasks[0].user_id
    blocks = await tx.all(EventRow, {"user_id": user_id, "task_id": ids, "status": Is("!=", "cancelled")})
    jobs: dict[str, JobRow] = {}
    if len(tasks) == 1:
        newest = await newest_job(tx, user_id, tasks[0].task_id)
        jobs = {} if newest is None else {newest.task_id: newest}
    else:
        found = await tx.all(JobRow, {"user_id": user_id, "task_id": ids}, order=("generation",))
        jobs = {job.task_id: job for job in found}
    return [
        task_view(task, jobs.get(task.task_id), [block for block in blocks if block.task_id == task.task_id], tx.now)
        for task in tasks
    ]


async def _check_parent(tx: Reading, task: TaskRow) -> None:
    """A parent is the person's own task, and no part of another; a task with parts is itself no part."""
    if task.parent_id is None:
        return
    parent = await tx.one(TaskRow, {"user_id": task.user_id, "task_id": task.parent_id})
    parts = await tx.count(TaskRow, {"user_id": task.user_id, "parent_id": task.task_id})
    if parent is None or parent.parent_id is not None or parent.status == "deleted" or parts:
        raise ValidationFailed("parent_id", "a task of yours that is no part of another, of a task without parts")
