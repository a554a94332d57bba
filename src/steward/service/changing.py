"""The writes of an apply and of its undo to the calendar, and its revision.

Invariant: an event is only changed in the version that the decision saw. Source: spec/scheduling.md ST-27, ST-43, ST-49.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from steward.domain.applying import Writes
from steward.domain.errors import SlotConflict
from steward.domain.ids import row_id
from steward.domain.profile import Profile
from steward.domain.span import moment_of
from steward.ports.chance import Chance
from steward.ports.rows.calendar import CalendarRow, EventRow
from steward.ports.storage import Raise, Writing
from steward.service.instants import parse_instant
from steward.service.reading import makeup_slot


async def raise_revision(tx: Writing, user_id: str) -> int:
    """Say that the person's events changed: the new revision."""
    await tx.change(CalendarRow, {"user_id": user_id}, {"revision": Raise()})
    row = await tx.one(CalendarRow, {"user_id": user_id})
    return 0 if row is None else row.revision


async def write_changes(
    tx: Writing, writes: Writes, profile: Profile, preview_id: str, apply_id: str, chance: Chance
) -> dict[str, str]:
    """Insert the blocks, move and resize the rest: the id of each new event, by its change. Raises SlotConflict."""
    ids = {block.change_id: row_id("evt", chance.uuid7()) for block in writes.blocks}
    made = [
        EventRow(
            event_id=ids[block.change_id],
            user_id=profile.user_id,
            title=block.title,
            start_at=moment_of(block.place.start),
            end_at=moment_of(block.place.end),
            zone=profile.zone,
            created_at=tx.now,
            mobility="flexible",
            origin="steward",
            task_id=block.task_id,
            task_source_type=block.task_source_type,
            part_no=block.part_no,
            makeup_for_event_id=block.makeup_for_event_id,
            makeup_slot=_slot(profile.user_id, block.makeup_for_event_id) if number == 0 else None,
            preview_id=preview_id,
            apply_id=apply_id,
        )
        for number, block in enumerate(writes.blocks)
    ]
    if made:
        await tx.insert_all(made)
    for shift in writes.shifts:
        seen = {"event_id": shift.event_id, "user_id": profile.user_id, "version": shift.version}
        place = {"start_at": moment_of(shift.after.start), "end_at": moment_of(shift.after.end)}
        if not await tx.change(EventRow, seen, {**place, "version": Raise()}):
            raise SlotConflict((f"{shift.event_id}: changed meanwhile",))
    return ids


async def take_back(tx: Writing, user_id: str, kept: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Cancel what was added, put back what was moved: the ids of what was restored, and of what was cancelled."""
    restored, cancelled = list[str](), list[str]()
    for entry in kept:
        own, before = {"event_id": entry["event_id"], "user_id": user_id}, entry["before"]
        if before is None:
            gone = {"status": "cancelled", "makeup_slot": None, "version": Raise()}
            await tx.change(EventRow, own, gone)
            cancelled.append(entry["event_id"])
        else:
            place = {name: parse_instant(before[name], name) for name in ("start", "end")}
            back = {"start_at": place["start"], "end_at": place["end"], "version": Raise()}
            await tx.change(EventRow, own, back)
            restored.append(entry["event_id"])
    return restored, cancelled


def _slot(user_id: str, makeup_for: str | None) -> str | None:
    """One makeup a block; of one in parts the first holds the slot."""
    return None if makeup_for is None else makeup_slot(user_id, makeup_for)
