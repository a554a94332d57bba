"""The rows of one source brought to what was read of it, in the caller's transaction.

Invariant: only this source's rows are touched, all of them `fixed`, and the calendar's revision rises where anything did.
Source: spec/scheduling.md ST-16, §2.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from steward.domain.errors import NotFound
from steward.domain.ids import row_id
from steward.ports.calendar import AllDayBusy, CalendarFrame, ReadCalendar
from steward.ports.chance import Chance
from steward.ports.rows.calendar import EventRow, SourceRow
from steward.ports.rows.person import UserRow
from steward.ports.storage import Is, Raise, Reading, Writing
from steward.service.changing import raise_revision
from steward.service.merging import Merge, merge

ROWS_AT_ONCE: Final = 200
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """`calendar.` of the settings."""

    past: timedelta = timedelta(days=30)
    ahead: timedelta = timedelta(days=180)
    bytes_max: int = 5 << 20
    occurrences_max: int = 10_000
    refresh: timedelta = timedelta(minutes=60)


class ZoneChanged(Exception):
    """The person moved to another zone while their calendar was read: it is to be read again."""


async def frame_of(tx: Reading, user_id: str, all_day_busy: AllDayBusy, limits: ImportLimits) -> CalendarFrame:
    """What is to be read for this person, as of now. Raises NotFound."""
    user = await tx.one(UserRow, {"user_id": user_id})
    if user is None:
        raise NotFound("user", user_id)
    return CalendarFrame(
        now=tx.now,
        zone=user.zone,
        all_day_busy=all_day_busy,
        past=limits.past,
        ahead=limits.ahead,
        occurrences_max=limits.occurrences_max,
        bytes_max=limits.bytes_max,
    )


async def write_events(
    tx: Writing, chance: Chance, source: SourceRow, frame: CalendarFrame, read: ReadCalendar
) -> Merge:
    """Write what differs. Raises ZoneChanged, and then nothing may be committed."""
    user = await tx.one(UserRow, {"user_id": source.user_id})
    if user is None or user.zone != frame.zone:
        raise ZoneChanged
    rows = await tx.all(EventRow, {"user_id": source.user_id, "source_id": source.source_id})

    def new_row(columns: Mapping[str, Any]) -> EventRow:
        return EventRow(
            event_id=row_id("evt", chance.uuid7()),
            user_id=source.user_id,
            origin="import",
            source_id=source.source_id,
            created_at=tx.now,
            **columns,
        )

    merged = merge(rows, read.events, frame, new_row)
    for some in batches(merged.added):
        await tx.insert_all(some)
    for row, columns in merged.changed:
        own = {"event_id": row.event_id, "user_id": row.user_id}
        await tx.change(EventRow, own, {**columns, "version": Raise()})
    await cancel_events(tx, merged.cancelled)
    if merged.writes:
        await raise_revision(tx, source.user_id)
    return merged


async def cancel_events(tx: Writing, rows: Sequence[EventRow]) -> None:
    """Give all these rows of one person the status `cancelled`."""
    for some in batches(rows):
        own = {"user_id": some[0].user_id, "event_id": Is("in", tuple(row.event_id for row in some))}
        await tx.change(EventRow, own, {"status": "cancelled", "version": Raise()})


def batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows, so many in a statement."""
    for first in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[first : first + ROWS_AT_ONCE]
