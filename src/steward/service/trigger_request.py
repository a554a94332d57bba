"""A request for a trigger: what it may say, and the checks of ST-18 in their order.

Invariant: what comes out names things of the person's own that are there; a refused request has stored nothing.
Source: spec/scheduling.md ST-18, §12, §18.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from outrider import canonical_json
from steward.domain.checks import whole
from steward.domain.errors import NotFound, ValidationFailed
from steward.domain.hashing import hash_of
from steward.domain.ids import ID_CHARACTERS_MAX, parse_id
from steward.domain.triggering import DRY_RUN, Asked, check_asked
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.storage import Is, Reading
from steward.service.answer import Caller
from steward.service.fields import Reader, flag, or_none, read_fields, required, word
from steward.service.instants import parse_instant
from steward.service.problems import Forbidden

WAIT_SECONDS_MAX: Final = 8
PAYLOAD_BYTES_MAX: Final = 16 << 10
FEEDBACK_ID_CHARACTERS_MAX: Final = 2 * ID_CHARACTERS_MAX


@dataclass(frozen=True, slots=True)
class TriggerRequest:
    """A request as it was read; nothing of it has been looked up."""

    asked: Asked
    feedback_id: str | None
    notify: bool
    wait_seconds: int
    payload: Any


def parse_trigger(values: Mapping[str, object], source: str, caller: Caller, *, mock_allowed: bool) -> TriggerRequest:
    """Read it. ValidationFailed names the field; Forbidden where mock time is not for this caller or this deployment."""
    fields = cast("dict[str, Any]", read_fields(values, _READERS))
    required(fields, "trigger_type", "target_type")
    asked = Asked(
        fields["trigger_type"],
        source,
        fields["target_type"],
        fields.get("target_id"),
        fields.get("mock_now"),
        fields.get("is_mock_time") or False,
    )
    check_asked(asked, stored=source != DRY_RUN)
    if asked.is_mock_time and (caller.role != "admin" or not mock_allowed):
        raise Forbidden("mock time is for administrators, where trigger.allow_mock_time is set")
    feedback_id = fields.get("feedback_id")
    if feedback_id is not None and asked.trigger_type != "unfinished_feedback":
        raise ValidationFailed("feedback_id", "only of unfinished_feedback")
    return TriggerRequest(
        asked, feedback_id, fields.get("notify", True), fields.get("wait_seconds", 0), fields.get("payload")
    )


async def check_target(tx: Reading, user_id: str, asked: Asked) -> Asked:
    """The same with a target that is there, the person's, and of its type.

    An unfinished task means its last block that has begun. NotFound, or ValidationFailed where there is no such block.
    """
    if asked.target_id is None:
        return asked
    if asked.target_type == "schedule_event":
        return replace(asked, target_id=(await own_block(tx, user_id, asked.target_id)).event_id)
    task = await tx.one(TaskRow, {"user_id": user_id, "task_id": asked.target_id, "status": Is("!=", "deleted")})
    if task is None:
        raise NotFound("task", asked.target_id)
    if asked.target_type != ("task_pool" if task.parent_id is None else "task_item"):
        raise ValidationFailed("target_type", "task_item for a task with a parent, task_pool for one without")
    if asked.trigger_type != "unfinished_feedback":
        return asked
    block = await last_begun(tx, user_id, task.task_id, asked.mock_now or tx.now)
    return replace(asked, target_type="schedule_event", target_id=block.event_id)


async def own_block(tx: Reading, user_id: str, event_id: str) -> EventRow:
    """The person's block with this id. NotFound; ValidationFailed for an event that is no block."""
    row = await tx.one(EventRow, {"user_id": user_id, "event_id": event_id, "status": Is("!=", "cancelled")})
    if row is None:
        raise NotFound("event", event_id)
    if row.task_id is None:
        raise ValidationFailed("event_id", "an event of a task: only a block can be unfinished")
    return row


async def last_begun(tx: Reading, user_id: str, task_id: str, now: datetime) -> EventRow:
    """The task's last block that has begun. ValidationFailed where none has."""
    where = {"user_id": user_id, "task_id": task_id, "start_at": Is("<=", now), "status": Is("!=", "cancelled")}
    found = await tx.all(EventRow, where, order=("-start_at", "-event_id"), limit=1)
    if not found:
        raise ValidationFailed("task_id", "a task with a block that has begun")
    return found[0]


def _feedback_id(value: object, field: str) -> str:
    known = word(value, field)
    if not 1 <= len(known) <= FEEDBACK_ID_CHARACTERS_MAX or any(not "!" <= character <= "~" for character in known):
        raise ValidationFailed(field, f"1 to {FEEDBACK_ID_CHARACTERS_MAX} visible characters of ASCII")
    return known


def _payload(value: object, field: str) -> object:
    if not isinstance(value, Mapping):
        raise ValidationFailed(field, "an object")
    hash_of(value, canonical_json)
    if len(canonical_json(value)) > PAYLOAD_BYTES_MAX:
        raise ValidationFailed(field, f"at most {PAYLOAD_BYTES_MAX} bytes as JSON")
    return value


_READERS: Final[Mapping[str, Reader]] = {
    "trigger_type": word,
    "target_type": word,
    "target_id": or_none(parse_id),
    "feedback_id": or_none(_feedback_id),
    "mock_now": or_none(parse_instant),
    "is_mock_time": flag,
    "notify": flag,
    "wait_seconds": lambda value, field: whole(value, field, 0, WAIT_SECONDS_MAX),
    "payload": or_none(_payload),
}
