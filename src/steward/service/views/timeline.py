"""A story as lines: what happened to a suggestion, from its job to its undo, without a word of what it was about.

Invariant: lines are in order of time, and of one moment in the order of the chain; none has a title or a text.
Source: spec/scheduling.md ST-67.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from steward.ports.ledger import MessageLine, NotificationLine
from steward.ports.rows.answer import ApplyRow, DialogueRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.service.instants import instant_text, optional_text

KINDS: Final = ("job", "trigger", "message", "preview", "dialogue", "notification", "apply", "undo")

Line = tuple[datetime, dict[str, Any]]


def ordered(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The entries by (at, kind)."""
    found = sorted(lines, key=lambda line: (line[0], KINDS.index(line[1]["kind"]), line[1]["id"]))
    return [{"at": instant_text(at), **entry} for at, entry in found]


def job_line(job: JobRow) -> Line:
    """A job, when it was due."""
    return job.trigger_at, _entry("job", job.job_id, job.status, job.last_error_code, round=job.round)


def trigger_line(trigger: TriggerRow) -> Line:
    """A trigger, when it was asked for."""
    ended = optional_text(trigger.completed_at)
    code = trigger.last_error_code
    return trigger.requested_at, _entry(
        "trigger", trigger.trigger_id, trigger.status, code, source=trigger.source, completed_at=ended
    )


def message_line(message: MessageLine | None, message_id: str, type_: str, service: str, at: datetime) -> Line:
    """A message, when it was added: its row says that there was one, so one that Outrider lacks was pruned."""
    if message is None:
        return at, _entry("message", message_id, "pruned", type=type_, service=service, state="pruned", consumers=[])
    consumers = [
        {"name": reader.name, "state": reader.state, "at": optional_text(reader.at)} for reader in message.readers
    ]
    return message.at or at, _entry(
        "message", message_id, message.state, type=type_, service=service, state=message.state, consumers=consumers
    )


def preview_line(preview: PreviewRow) -> Line:
    """A preview, when it was made."""
    ended = optional_text(preview.ended_at)
    return preview.generated_at, _entry(
        "preview", preview.preview_id, preview.status, preview.status_reason, ended_at=ended
    )


def dialogue_line(dialogue: DialogueRow) -> Line:
    """A dialogue, when it began."""
    return dialogue.created_at, _entry("dialogue", dialogue.dialogue_id, dialogue.status)


def notification_line(record: NotificationLine) -> Line:
    """A notification on one channel, when it was recorded."""
    return record.at, _entry(
        "notification",
        str(record.record_id),
        record.status,
        record.code,
        channel=record.channel,
        attempts=record.attempts,
    )


def apply_lines(apply: ApplyRow) -> list[Line]:
    """An apply, and its undo where there was one."""
    at = apply.applied_at or apply.created_at
    lines = [(at, _entry("apply", apply.apply_id, apply.status, apply.error_code, preview_id=apply.preview_id))]
    if apply.undone_at is not None:
        lines.append((apply.undone_at, _entry("undo", apply.apply_id, "undone", preview_id=apply.preview_id)))
    return lines


def _entry(kind: str, name: str, status: str, code: str | None = None, **more: object) -> dict[str, Any]:
    return {"kind": kind, "id": name, "status": status, **({} if code is None else {"code": code}), **more}
