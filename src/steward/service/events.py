"""The calendar by hand: a person's own events and blocks.

Invariant: what was imported is its source's; each change raises the event's version and the calendar's revision, and a block
that is taken away by hand lets its task be looked at again. Source: spec/scheduling.md ST-6, ST-12, ST-13, §12.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from steward.domain.errors import NotFound
from steward.domain.ids import row_id
from steward.domain.urgency import placed_minutes
from steward.ports.chance import Chance
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.storage import Is, Reading, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed, expect_version
from steward.service.answer import keyed as under_key
from steward.service.changing import raise_revision
from steward.service.event_fields import edited_row, new_fields
from steward.service.instants import parse_instant
from steward.service.jobs import write_job
from steward.service.listing import Listing, Wanted
from steward.service.person import Defaults, profile_of
from steward.service.problems import EventReadOnly
from steward.service.views.events import event_view

CREATED: Final = 201
_EDITABLE: Final = (
    "title", "location", "start_at", "end_at", "zone", "busy", "mobility", "status", "all_day", "start_date", "end_date",
    "makeup_slot",
)  # fmt: skip


class Events:
    """What a person does to their calendar themselves."""

    def __init__(self, *, storage: Storage, chance: Chance, listing: Listing, defaults: Defaults) -> None:
        self._storage, self._chance = storage, chance
        self._listing, self._defaults = listing, defaults

    async def create(
        self, caller: Caller, values: Mapping[str, object], *, keyed: Keyed | None = None, if_match: str | None = None
    ) -> Answer:
        """Make an event from its fields; with `task_id` a block by hand, which is pinned unless said otherwise."""
        del if_match

        async def work(tx: Writing) -> Answer:
            profile = await profile_of(tx, caller.user_id, self._defaults)
            fields = new_fields(values, profile)
            if (task_id := fields.get("task_id")) is not None:
                task = await _own_task(tx, caller.user_id, task_id)
                fields.setdefault("title", task.title)
                fields.setdefault("mobility", "pinned")
                fields["task_source_type"] = "task_pool" if task.parent_id is None else "task_item"
            name = row_id("evt", self._chance.uuid7())
            row = EventRow(event_id=name, user_id=caller.user_id, created_at=tx.now, **fields)
            view = event_view(row, profile)
            await tx.insert(row)
            await raise_revision(tx, caller.user_id)
            return Answer(CREATED, view, etag=str(row.version), location=f"/api/v1/events/{name}", resource_id=name)

        return await under_key(self._storage, caller, keyed, "events.create", work)

    async def get(self, caller: Caller, event_id: str) -> dict[str, Any]:
        """The event. Raises NotFound."""

        async def work(tx: Reading) -> dict[str, Any]:
            row = await _own(tx, caller.user_id, event_id)
            return event_view(row, await profile_of(tx, caller.user_id, self._defaults))

        return await self._storage.read(work)

    async def list(
        self,
        caller: Caller,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> dict[str, Any]:
        """A page of the events that reach into the time between `from_` and `to`, cancelled ones left out."""
        where: dict[str, object] = {"user_id": caller.user_id, "status": Is("!=", "cancelled")}
        if from_ is not None:
            where["end_at"] = Is(">", parse_instant(from_, "from"))
        if to is not None:
            where["start_at"] = Is("<", parse_instant(to, "to"))
        wanted = Wanted(caller.user_id, "events", "event_id", limit, cursor, {"from": from_, "to": to})

        async def work(tx: Reading) -> dict[str, Any]:
            rows, following = await self._listing.page(tx, EventRow, where, wanted)
            profile = await profile_of(tx, caller.user_id, self._defaults)
            return {"items": [event_view(row, profile) for row in rows], "next_cursor": following}

        return await self._storage.read(work)

    async def edit(
        self,
        caller: Caller,
        event_id: str,
        values: Mapping[str, object],
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """Change fields; what is given as it is already changes nothing and raises no version."""

        async def work(tx: Writing) -> Answer:
            before = await _editable(tx, caller.user_id, event_id, if_match)
            if before.status == "cancelled":
                raise NotFound("event", event_id)
            profile = await profile_of(tx, caller.user_id, self._defaults)
            return await self._change(tx, caller, before, edited_row(before, values, profile))

        return await under_key(self._storage, caller, keyed, "events.edit", work)

    async def delete(
        self, caller: Caller, event_id: str, *, keyed: Keyed | None = None, if_match: str | None = None
    ) -> Answer:
        """Cancel the event; of a makeup, its block may get another one."""

        async def work(tx: Writing) -> Answer:
            before = await _editable(tx, caller.user_id, event_id, if_match)
            after = replace(before, status="cancelled", makeup_slot=None)
            return await self._change(tx, caller, before, after)

        return await under_key(self._storage, caller, keyed, "events.delete", work)

    async def _change(self, tx: Writing, caller: Caller, before: EventRow, after: EventRow) -> Answer:
        profile = await profile_of(tx, caller.user_id, self._defaults)
        if after != before:
            after = replace(after, version=before.version + 1)
            values = {name: getattr(after, name) for name in (*_EDITABLE, "version")}
            await tx.change(EventRow, {"event_id": before.event_id, "user_id": caller.user_id}, values)
            await raise_revision(tx, caller.user_id)
            await self._look_again(tx, before, after)
        return Answer(200, event_view(after, profile), etag=str(after.version), resource_id=after.event_id)

    async def _look_again(self, tx: Writing, before: EventRow, after: EventRow) -> None:
        """A block that covers less of its task than before may undo the reason for which its job was skipped (ST-6)."""
        if before.task_id is None:
            return
        task = await tx.one(TaskRow, {"task_id": before.task_id, "user_id": before.user_id})
        if task is None:
            return
        covered = [placed_minutes(task.task, [row.event], tx.now) for row in (before, after)]
        if covered[1] < covered[0]:
            await write_job(tx, task, task, self._chance, block_removed=True)


async def _own(tx: Reading, user_id: str, event_id: str) -> EventRow:
    row = await tx.one(EventRow, {"event_id": event_id, "user_id": user_id})
    if row is None:
        raise NotFound("event", event_id)
    return row


async def _editable(tx: Reading, user_id: str, event_id: str, if_match: str | None) -> EventRow:
    row = await _own(tx, user_id, event_id)
    if row.origin == "import":
        raise EventReadOnly(event_id)
    expect_version(if_match, str(row.version))
    return row


async def _own_task(tx: Reading, user_id: str, task_id: str) -> TaskRow:
    task = await tx.one(TaskRow, {"task_id": task_id, "user_id": user_id, "status": Is("!=", "deleted")})
    if task is None:
        raise NotFound("task", task_id)
    return task
