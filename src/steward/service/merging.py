"""What an import changes: the rows of one source beside what was read of it.

Invariant: equal rows are left alone, and what is no longer in the source is cancelled only where the reading would have
seen it. Source: spec/scheduling.md ST-16.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from steward.ports.calendar import CalendarFrame, ReadEvent
from steward.ports.rows.calendar import EventRow

UID_CHARACTERS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Merge:
    """New rows, rows with the columns that differ, rows that vanished, and how many are as they were."""

    added: tuple[EventRow, ...]
    changed: tuple[tuple[EventRow, Mapping[str, object]], ...]
    cancelled: tuple[EventRow, ...]
    equal: int

    @property
    def writes(self) -> bool:
        """Whether anything is different."""
        return bool(self.added or self.changed or self.cancelled)


def uid_key(uid: str) -> str:
    """The UID as a row holds it: one that is too long, or not clean text, by its hash."""
    if len(uid) <= UID_CHARACTERS_MAX and uid.isprintable():
        return uid
    return f"sha256:{sha256(uid.encode('utf-8', 'backslashreplace')).hexdigest()}"


def merge(
    rows: Sequence[EventRow],
    events: Sequence[ReadEvent],
    frame: CalendarFrame,
    new_row: Callable[[Mapping[str, object]], EventRow],
) -> Merge:
    """Bring the rows of one source to what was read; `new_row` makes one of its columns."""
    known = {(row.uid, row.recurrence_id): row for row in rows}
    seen: set[tuple[str, str]] = set()
    added, changed, equal = [], [], 0
    for event in events:
        identity = (uid_key(event.uid), event.recurrence_id)
        if identity in seen:
            continue
        seen.add(identity)
        columns, row = _columns(event), known.get(identity)
        if row is None:
            added.append(new_row(columns))
            continue
        different = {name: value for name, value in columns.items() if getattr(row, name) != value}
        if different:
            changed.append((row, different))
        else:
            equal += 1
    vanished = [row for name, row in known.items() if name not in seen and _was_looked_at(row, frame)]
    return Merge(tuple(added), tuple(changed), tuple(vanished), equal)


def _was_looked_at(row: EventRow, frame: CalendarFrame) -> bool:
    return row.status != "cancelled" and row.start_at < frame.end and row.end_at > frame.start


def _columns(event: ReadEvent) -> dict[str, object]:
    return {
        "uid": uid_key(event.uid),
        "recurrence_id": event.recurrence_id,
        "title": event.title,
        "location": event.location,
        "start_at": event.start_at,
        "end_at": event.end_at,
        "zone": event.zone,
        "all_day": event.start_date is not None,
        "start_date": event.start_date,
        "end_date": event.end_date,
        "busy": event.busy,
        "status": event.status,
    }
