"""The audit line of a suggestion: trigger, preview, notification, apply, joined by their ids in one read.

Invariant: a person sees their own stories, an admin every one; whatever id of a story is given, the story is the same.
Source: spec/scheduling.md ST-65, ST-66, ST-67.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from steward.domain.errors import NotFound
from steward.ports.ledger import Ledger
from steward.ports.rows.answer import ApplyRow, DialogueRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Is, Reading, Storage
from steward.service.answer import Caller
from steward.service.apply_messages import FAILED, SUCCEEDED, UNDONE
from steward.service.messages import NOTIFY, PROMOTE, SERVICE, TRIGGERED, message_id_of
from steward.service.views import timeline as lines

APPLIES_MAX: Final = 50
CHAIN_MAX: Final = 200
"""Rows of each kind that one trace may have."""


@dataclass
class _Story:
    """The rows of one story."""

    jobs: list[JobRow] = field(default_factory=list)
    triggers: list[TriggerRow] = field(default_factory=list)
    previews: list[PreviewRow] = field(default_factory=list)
    applies: list[ApplyRow] = field(default_factory=list)
    dialogues: list[DialogueRow] = field(default_factory=list)


class Timeline:
    """Tells what happened."""

    def __init__(self, *, storage: Storage, ledger: Ledger) -> None:
        self._storage, self._ledger = storage, ledger

    async def of(self, caller: Caller, wanted: str) -> dict[str, Any]:
        """The story that this id of a job, trigger, preview, apply, feedback or trace belongs to. Raises NotFound."""

        async def work(tx: Reading) -> dict[str, Any]:
            owner: dict[str, object] = {} if caller.role == "admin" else {"user_id": caller.user_id}
            story = await _story(tx, await _triggers(tx, owner, wanted), await _jobs(tx, owner, wanted))
            if not story.jobs and not story.triggers:
                raise NotFound("story", wanted)
            found = [*_own_lines(story), *await self._message_lines(tx, story)]
            traces = [*(row.trace_id for row in story.triggers), *(row.trace_id for row in story.jobs)]
            trace = next((one for one in traces if one is not None), None)
            return {"trace_id": trace, "entries": lines.ordered(found)}

        return await self._storage.read(work)

    async def _message_lines(self, tx: Reading, story: _Story) -> list[lines.Line]:
        found = []
        for type_, row_id, at, certain in _sent(story):
            name = message_id_of(type_, row_id)
            message = await self._ledger.message(tx, UUID(name))
            if message is None and not certain:
                continue
            found.append(lines.message_line(message, name, type_, SERVICE, at))
            if type_ == NOTIFY:
                records = await self._ledger.notifications(tx, UUID(name))
                found += [lines.notification_line(record) for record in records]
        return found


async def _triggers(tx: Reading, owner: dict[str, object], wanted: str) -> list[TriggerRow]:
    """The triggers that the id names, directly or by what came of them."""
    for column in ("trigger_id", "feedback_id", "job_id", "trace_id"):
        found = await tx.all(TriggerRow, {**owner, column: wanted}, order=("created_at",), limit=CHAIN_MAX)
        if found:
            return found
    preview = await tx.one(PreviewRow, {**owner, "preview_id": wanted})
    if preview is None and (apply := await tx.one(ApplyRow, {**owner, "apply_id": wanted})) is not None:
        preview = await tx.one(PreviewRow, {**owner, "preview_id": apply.preview_id})
    if preview is None:
        return []
    return await tx.all(TriggerRow, {"user_id": preview.user_id, "trigger_id": preview.trigger_id})


async def _jobs(tx: Reading, owner: dict[str, object], wanted: str) -> list[JobRow]:
    """The jobs that the id names itself."""
    found = await tx.all(JobRow, {**owner, "job_id": wanted})
    return found or await tx.all(JobRow, {**owner, "trace_id": wanted}, order=("created_at",), limit=CHAIN_MAX)


async def _story(tx: Reading, triggers: Sequence[TriggerRow], jobs: Sequence[JobRow]) -> _Story:
    """All rows that hang together with these."""
    story = _Story(list(jobs), list(triggers))
    known = {job.job_id for job in jobs}
    more = sorted({trigger.job_id for trigger in triggers if trigger.job_id is not None} - known)
    if more:
        story.jobs += await tx.all(JobRow, {"job_id": Is("in", more)})
    led = sorted({job.last_trigger_id for job in story.jobs if job.last_trigger_id is not None})
    missing = [name for name in led if name not in {trigger.trigger_id for trigger in triggers}]
    if missing:
        story.triggers += await tx.all(TriggerRow, {"trigger_id": Is("in", missing)})
    if not story.triggers:
        return story
    names = [trigger.trigger_id for trigger in story.triggers]
    owner = story.triggers[0].user_id
    story.previews = await tx.all(PreviewRow, {"user_id": owner, "trigger_id": Is("in", names)})
    held = {
        row.dialogue_id: row
        for column in ("trigger_id", "current_trigger_id")
        for row in await tx.all(DialogueRow, {"user_id": owner, column: Is("in", names)})
    }
    story.dialogues = list(held.values())
    if story.previews:
        shown = [preview.preview_id for preview in story.previews]
        where = {"user_id": owner, "preview_id": Is("in", shown)}
        story.applies = await tx.all(ApplyRow, where, order=("-created_at", "-apply_id"), limit=APPLIES_MAX)
    return story


def _own_lines(story: _Story) -> list[lines.Line]:
    return [
        *(lines.job_line(row) for row in story.jobs),
        *(lines.trigger_line(row) for row in story.triggers),
        *(lines.preview_line(row) for row in story.previews),
        *(lines.dialogue_line(row) for row in story.dialogues),
        *(line for row in story.applies for line in lines.apply_lines(row)),
    ]


def _sent(story: _Story) -> list[tuple[str, str, datetime, bool]]:
    """(type, row id, when, whether it was surely added) of each message that the rows speak of."""
    previews = {preview.trigger_id: preview for preview in story.previews}
    found = [(PROMOTE, job.job_id, job.last_scanned_at or job.trigger_at, False) for job in story.jobs]
    for trigger in story.triggers:
        found.append((TRIGGERED, trigger.trigger_id, trigger.created_at, True))
        preview = previews.get(trigger.trigger_id)
        if preview is not None and trigger.notify and preview.decision_json.get("should_notify"):
            found.append((NOTIFY, preview.preview_id, preview.generated_at, True))
    for apply in story.applies:
        if apply.status == "applied":
            found.append((SUCCEEDED, apply.apply_id, apply.applied_at or apply.created_at, True))
        else:
            found.append((FAILED, f"{apply.apply_id}:{apply.status}", apply.created_at, True))
        if apply.undone_at is not None:
            found.append((UNDONE, apply.apply_id, apply.undone_at, True))
    return found
