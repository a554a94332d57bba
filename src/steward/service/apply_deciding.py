"""Whether a confirm may change the calendar, and what it would write: steps 4 to 8, from rows read again.

Invariant: nothing is written here; each refusal is raised with its code, in the order of the specification.
Source: spec/scheduling.md ST-40, ST-43.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from outrider import canonical_json
from steward.domain.applying import Writes, decide_apply
from steward.domain.base_version import base_parts, base_version, changed_since
from steward.domain.candidate import Candidate
from steward.domain.candidate_json import candidates_from_json
from steward.domain.changes import calendar_of
from steward.domain.context import HORIZON, Target
from steward.domain.edits import Edited, edited_changes
from steward.domain.errors import BaseVersionChanged, NotFound, ValidationFailed
from steward.domain.event import Event
from steward.domain.profile import Profile
from steward.domain.span import seconds_up
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Is, Reading
from steward.service.confirm_request import ConfirmRequest
from steward.service.problems import Expired, PreviewNotReady
from steward.service.reading import context_of, events_between, hull, makeup_exists, target_of, tasks_of

UNREADABLE: Final = "failed"
"""The state of a preview whose candidates this release cannot read (§18)."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be written for a candidate as edited; `rows` are the events as they stand, by id."""

    candidate: Candidate
    edited: Edited
    writes: Writes
    rows: Mapping[str, EventRow]


async def decide_confirm(
    tx: Reading,
    request: ConfirmRequest,
    preview: PreviewRow,
    trigger: TriggerRow,
    profile: Profile,
    horizon: timedelta = HORIZON,
) -> Decided:
    """What to write. Raises what steps 4 to 8 refuse, PreviewNotReady where the stored candidates cannot be read."""
    if preview.status == "expired" or preview.expires_at <= tx.now:
        raise Expired(preview.preview_id)
    candidate = chosen(preview, request.candidate_id)
    edited = edited_changes(candidate, request.edits, profile.grid, profile.tzinfo)
    around = hull((*candidate.changes, *edited.changes), profile.grid.buffer_minutes)
    rows = await events_between(tx, profile.user_id, *around)
    events = [row.event for row in rows]
    target = await target_of(tx, trigger, tx.now)
    await _expect_base(tx, request, preview, candidate, events, target, profile)
    if target is None:
        raise NotFound(preview.target_type, preview.target_id or "")
    tasks = await tasks_of(tx, profile.user_id, events)
    context = context_of(profile, trigger, target, events, tasks, tx.now, horizon)
    writes = decide_apply(
        target,
        edited,
        calendar_of(context, seconds_up(tx.now)),
        late=candidate.method == "late",
        makeup_exists=await makeup_exists(tx, target, profile.user_id),
    )
    return Decided(candidate, edited, writes, {row.event_id: row for row in rows})


def chosen(preview: PreviewRow, candidate_id: str) -> Candidate:
    """The preview's candidate of this id. Raises NotFound, and PreviewNotReady where none of them can be read."""
    try:
        candidates = candidates_from_json(preview.candidates_json)
    except ValidationFailed:
        raise PreviewNotReady(UNREADABLE) from None
    found = next((one for one in candidates if one.candidate_id == candidate_id), None)
    if found is None:
        raise NotFound("candidate", candidate_id)
    return found


async def _expect_base(
    tx: Reading,
    request: ConfirmRequest,
    preview: PreviewRow,
    candidate: Candidate,
    events: Sequence[Event],
    target: Target | None,
    profile: Profile,
) -> None:
    task = None if target is None else target.task
    parts = base_parts(candidate.changes, events, task, profile.version, profile.grid.buffer_minutes)
    current = base_version(parts, canonical_json)
    if request.if_match == candidate.base_version == current:
        return
    changed = changed_since(candidate, parts, canonical_json) if candidate.base_version != current else ("if_match",)
    raise BaseVersionChanged(changed, current, await _newer_preview(tx, preview))


async def _newer_preview(tx: Reading, preview: PreviewRow) -> str | None:
    """A preview of the same target that was made since."""
    if preview.target_id is None:
        return None
    where = {
        "user_id": preview.user_id,
        "target_id": preview.target_id,
        "generated_at": Is(">", preview.generated_at),
    }
    newer = await tx.all(PreviewRow, where, order=("-created_at",), limit=1)
    return newer[0].preview_id if newer else None
