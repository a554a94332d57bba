"""Previews as the person sees them, and leaving one alone.

Invariant: reading changes nothing, not even a preview whose time is over. Source: spec/scheduling.md ST-39, ST-41, ST-42.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from steward.domain.checks import one_of
from steward.domain.context import HORIZON
from steward.domain.errors import ValidationFailed
from steward.domain.ids import parse_id
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Is, Reading, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed
from steward.service.answer import keyed as under_key
from steward.service.ending import end_seen
from steward.service.fields import or_none, read_fields
from steward.service.listing import Listing, Wanted
from steward.service.person import Defaults, profile_of
from steward.service.problems import AlreadyApplied, AlreadyUndone, Expired, PreviewNotReady, PreviewSuperseded
from steward.service.reading import apply_of, own_preview, trigger_of
from steward.service.undo_deciding import can_undo
from steward.service.views.previews import ignored_view, preview_view, summary_view

STATUSES: Final = frozenset({"pending", "ready", "applied", "ignored", "expired", "superseded", "failed", "undone"})
REASON_CHARACTERS_MAX: Final = 64


class Previews:
    """What was suggested to a person."""

    def __init__(self, *, storage: Storage, listing: Listing, defaults: Defaults, horizon: timedelta = HORIZON) -> None:
        self._storage, self._listing = storage, listing
        self._defaults, self._horizon = defaults, horizon

    async def get(self, caller: Caller, preview_id: str) -> dict[str, Any]:
        """The preview with its candidates and its apply, and what may be done with it now. Raises NotFound."""

        async def work(tx: Reading) -> dict[str, Any]:
            preview = await own_preview(tx, caller.user_id, preview_id)
            apply = await apply_of(tx, preview)
            undoable = await self._undoable(tx, preview, apply)
            return preview_view(preview, apply, tx.now, undoable=undoable)

        return await self._storage.read(work)

    async def list(
        self,
        caller: Caller,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        status: str | None = None,
        target_id: str | None = None,
    ) -> dict[str, Any]:
        """A page of previews, newest first, without their candidates; `status` as it is stored."""
        filters = {"status": status, "target_id": target_id}
        wanted = Wanted(caller.user_id, "previews", "preview_id", limit, cursor, filters)
        where: dict[str, object] = {"user_id": caller.user_id}
        if status is not None:
            where["status"] = one_of(status, "status", STATUSES)
        if target_id is not None:
            where["target_id"] = parse_id(target_id, "target_id")

        async def work(tx: Reading) -> dict[str, Any]:
            rows, next_cursor = await self._listing.page(tx, PreviewRow, where, wanted)
            applies = await _applies(tx, caller.user_id, rows)
            items = []
            for row in rows:
                apply = applies.get(row.preview_id)
                undoable = await self._undoable(tx, row, apply)
                items.append(summary_view(row, apply, tx.now, undoable=undoable))
            return {"items": items, "next_cursor": next_cursor}

        return await self._storage.read(work)

    async def ignore(
        self,
        caller: Caller,
        preview_id: str,
        values: Mapping[str, object],
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """Leave the day as it is: the preview ends, its dialogue too, and the task is not brought up again (ST-42)."""
        del if_match  # nothing of a preview can be edited, so it has no version to be stale
        reason = read_fields(values, {"reason": or_none(_reason)}).get("reason")
        said = None if reason is None else str(reason)

        async def work(tx: Writing) -> Answer:
            preview = await own_preview(tx, caller.user_id, preview_id)
            if preview.status == "ignored":
                return Answer(200, ignored_view(preview, preview.status_reason), resource_id=preview_id)
            await _refuse_ended(tx, preview)
            await end_seen(tx, preview, "ignored", said)
            return Answer(200, ignored_view(preview, said), resource_id=preview_id)

        return await under_key(self._storage, caller, keyed, "previews.ignore", work)

    async def _undoable(self, tx: Reading, preview: PreviewRow, apply: ApplyRow | None) -> bool:
        if preview.status != "applied":
            return False
        profile = await profile_of(tx, preview.user_id, self._defaults)
        trigger = await trigger_of(tx, preview)
        return await can_undo(tx, apply, trigger, profile, self._horizon)


async def _applies(tx: Reading, user_id: str, rows: Iterable[PreviewRow]) -> dict[str, ApplyRow]:
    """The apply of each preview: the one that won, else its newest."""
    names = [row.preview_id for row in rows]
    if not names:
        return {}
    where = {"user_id": user_id, "preview_id": Is("in", names)}
    found = await tx.all(ApplyRow, where, order=("created_at", "apply_id"))
    return {row.preview_id: row for row in sorted(found, key=lambda row: row.applied_slot is not None)}


async def _refuse_ended(tx: Reading, preview: PreviewRow) -> None:
    match preview.status:
        case "applied":
            winner = await apply_of(tx, preview)
            raise AlreadyApplied("" if winner is None else winner.apply_id)
        case "undone":
            raise AlreadyUndone(preview.preview_id)
        case "superseded":
            raise PreviewSuperseded(preview.superseded_by)
        case "failed":
            raise PreviewNotReady(preview.status)
        case _ if preview.status == "expired" or preview.expires_at <= tx.now:
            raise Expired(preview.preview_id)
        case _:
            return


def _reason(value: object, field: str) -> str:
    """A short code, as the column keeps it: visible characters of ASCII."""
    if not isinstance(value, str) or not 1 <= len(value) <= REASON_CHARACTERS_MAX or not _is_visible(value):
        raise ValidationFailed(field, f"1 to {REASON_CHARACTERS_MAX} visible characters of ASCII, such as not_today")
    return value


def _is_visible(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)
