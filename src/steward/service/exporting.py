"""Calendars for others' programs: the person's blocks, and a candidate's day.

Invariant: what was imported leaves by nobody's file: of it a preview's shows that time is taken, not by what.
Source: spec/scheduling.md ST-17.
"""

from collections.abc import Sequence
from typing import Final

from steward.domain.candidate import Candidate, Entry
from steward.domain.candidate_json import candidates_from_json
from steward.domain.errors import NotFound
from steward.domain.profile import Locale
from steward.domain.span import moment_of
from steward.ports.calendar import CalendarWriter, WrittenEvent
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Is, Reading, Storage
from steward.service.answer import Caller
from steward.service.import_rows import ImportLimits

DOMAIN: Final = "steward"
_TAKEN: Final[dict[Locale, str]] = {"en": "Busy", "zh-CN": "已占用"}
_SUGGESTED: Final[dict[Locale, str]] = {"en": "Suggestion", "zh-CN": "建议"}


class Exporting:
    """`text/calendar` out."""

    def __init__(self, *, storage: Storage, writer: CalendarWriter, limits: ImportLimits) -> None:
        self._storage, self._writer, self._limits = storage, writer, limits

    async def calendar_ics(self, caller: Caller) -> bytes:
        """The person's blocks of the time that an import would read, under stable UIDs."""

        async def work(tx: Reading) -> bytes:
            ahead = {
                "user_id": caller.user_id,
                "task_id": Is("not null"),
                "status": Is("!=", "cancelled"),
                "end_at": Is(">", tx.now - self._limits.past),
            }
            rows = await tx.all(EventRow, ahead, order=("start_at", "event_id"))
            last = tx.now + self._limits.ahead
            return self._writer.write("Steward", [_block(row) for row in rows if row.start_at < last], tx.now)

        return await self._storage.read(work)

    async def preview_ics(self, caller: Caller, preview_id: str, candidate_id: str | None = None) -> bytes:
        """The after-view of one candidate, the selected one unless another is named. Raises NotFound, ValidationFailed."""

        async def work(tx: Reading) -> bytes:
            preview = await tx.one(PreviewRow, {"preview_id": preview_id, "user_id": caller.user_id})
            if preview is None:
                raise NotFound("preview", preview_id)
            wanted = candidate_id or preview.selected_candidate_id
            candidates = candidates_from_json(preview.candidates_json)
            candidate = next((one for one in candidates if one.candidate_id == wanted), None)
            if candidate is None:
                raise NotFound("candidate", wanted)
            imported = await _imported(tx, caller.user_id, candidate.after)
            written = [_entry(entry, preview, caller.locale, entry.entry_id in imported) for entry in candidate.after]
            return self._writer.write(_name(candidate, caller.locale), written, tx.now)

        return await self._storage.read(work)


async def _imported(tx: Reading, user_id: str, entries: Sequence[Entry]) -> frozenset[str]:
    """The ids of entries whose events came from elsewhere."""
    ids = tuple(entry.entry_id for entry in entries)
    if not ids:
        return frozenset()
    rows = await tx.all(EventRow, {"user_id": user_id, "event_id": Is("in", ids), "origin": "import"})
    return frozenset(row.event_id for row in rows)


def _block(row: EventRow) -> WrittenEvent:
    return WrittenEvent(f"{row.event_id}@{DOMAIN}", row.title, row.start_at, row.end_at, row.status, row.version)


def _entry(entry: Entry, preview: PreviewRow, locale: Locale, imported: bool) -> WrittenEvent:
    return WrittenEvent(
        uid=f"{preview.preview_id}.{entry.entry_id}@{DOMAIN}",
        title=_TAKEN[locale] if imported else entry.title,
        start_at=moment_of(entry.place.start),
        end_at=moment_of(entry.place.end),
        status="tentative",
    )


def _name(candidate: Candidate, locale: Locale) -> str:
    return f"{_SUGGESTED[locale]}: {candidate.title}"
