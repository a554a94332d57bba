"""What a person says of a block that was not finished.

Invariant: the feedback, its trigger and its message are written together. Source: spec/scheduling.md ST-50.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from steward.domain.checks import NOTE_CHARACTERS_MAX, one_of, text, whole
from steward.domain.errors import NotFound, ValidationFailed
from steward.domain.grid import LENGTH_MINUTES_MAX
from steward.domain.ids import parse_id, row_id
from steward.domain.triggering import Asked
from steward.ports.chance import Chance
from steward.ports.rows.answer import FeedbackRow
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.storage import Reading, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed
from steward.service.answer import keyed as under_key
from steward.service.fields import Reader, or_none, read_fields, required, word
from steward.service.problems import SuggestionsOff
from steward.service.trigger_request import last_begun, own_block
from steward.service.triggering import NewTrigger, create_trigger

KINDS: Final = ("unfinished",)
_READERS: Final[Mapping[str, Reader]] = {
    "kind": lambda value, field: one_of(word(value, field), field, KINDS),
    "event_id": or_none(parse_id),
    "task_id": or_none(parse_id),
    "remaining_minutes": or_none(lambda value, field: whole(value, field, 1, LENGTH_MINUTES_MAX)),
    "note": or_none(lambda value, field: text(value, field, NOTE_CHARACTERS_MAX, least=0)),
}


class Feedback:
    """Takes feedback."""

    def __init__(self, *, storage: Storage, chance: Chance, enabled: bool = True) -> None:
        self._storage = storage
        self._chance = chance
        self._enabled = enabled

    async def create(
        self, caller: Caller, values: Mapping[str, object], *, keyed: Keyed | None = None, if_match: str | None = None
    ) -> Answer:
        """Say that a block was not finished: by its id, by its task (the last block that has begun), or without naming it,
        when a dialogue asks. Raises ValidationFailed for an event that is no block, NotFound for another's.
        """
        del if_match
        fields = cast("dict[str, Any]", read_fields(values, _READERS))
        required(fields, "kind")
        if fields.get("event_id") is not None and fields.get("task_id") is not None:
            raise ValidationFailed("task_id", "event_id or task_id, not both")
        if not self._enabled:
            raise SuggestionsOff("suggestions are switched off by `enabled`")

        async def work(tx: Writing) -> Answer:
            block = await _block(tx, caller.user_id, fields)
            feedback_id = row_id("fbk", self._chance.uuid7())
            block_id, task_id = (None, None) if block is None else (block.event_id, block.task_id)
            asked = Asked("unfinished_feedback", "user_feedback", "schedule_event", block_id)
            wanted = NewTrigger(caller.user_id, asked, caller.trace_id, feedback_id=feedback_id)
            made = await create_trigger(tx, wanted, self._chance)
            row = FeedbackRow(
                feedback_id=feedback_id,
                user_id=caller.user_id,
                trigger_id=made.trigger.trigger_id,
                created_at=tx.now,
                kind=fields["kind"],
                event_id=block_id,
                task_id=task_id,
                remaining_minutes=fields.get("remaining_minutes"),
                note=fields.get("note"),
            )
            await tx.insert(row)
            body = {"feedback_id": feedback_id, "trigger_id": row.trigger_id, "trace_id": caller.trace_id}
            return Answer(202, body, location=f"/api/v1/triggers/{row.trigger_id}", resource_id=feedback_id)

        return await under_key(self._storage, caller, keyed, "feedback.create", work)


async def _block(tx: Reading, user_id: str, fields: Mapping[str, Any]) -> EventRow | None:
    if fields.get("event_id") is not None:
        return await own_block(tx, user_id, fields["event_id"])
    if fields.get("task_id") is None:
        return None
    if await tx.one(TaskRow, {"user_id": user_id, "task_id": fields["task_id"]}) is None:
        raise NotFound("task", fields["task_id"])
    return await last_begun(tx, user_id, fields["task_id"], tx.now)
