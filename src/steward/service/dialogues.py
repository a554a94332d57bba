"""Dialogues: which block was not finished is asked, answered, and never guessed.

Invariant: of two replies to one question one starts a new preparation, and each round of it has a trigger of its own.
Source: spec/scheduling.md ST-51, ST-52, ST-53.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, cast

from steward.domain.choices import resolve
from steward.domain.errors import NotFound, StewardError, ValidationFailed
from steward.domain.facts import DialogueChanged
from steward.domain.ids import parse_id
from steward.domain.triggering import Asked
from steward.ports.chance import Chance
from steward.ports.replies import ReplyReader, ReplyRequest
from steward.ports.rows.answer import DialogueRow, FeedbackRow, RequestRow
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Reading, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed
from steward.service.answer import keyed as under_key
from steward.service.ending import end_preview
from steward.service.fields import Reader, read_fields, word
from steward.service.instants import parse_instant
from steward.service.person import Defaults, profile_of
from steward.service.problems import DialogueNotWaiting
from steward.service.trigger_request import own_block
from steward.service.triggering import NewTrigger, create_trigger
from steward.service.views.dialogues import choices_from, dialogue_view

WAITING: Final = "waiting_user_reply"
ROUNDS_MAX: Final = 3
RERUN_LEASE: Final = timedelta(seconds=120)
REPLY_CHARACTERS_MAX: Final = 1000
GIVEN_UP: Final = "question_given_up"
_READERS: Final[Mapping[str, Reader]] = {"choice_id": parse_id, "text": word}


class Dialogues:
    """A person's dialogues."""

    def __init__(
        self, *, storage: Storage, chance: Chance, defaults: Defaults, replies: ReplyReader | None = None
    ) -> None:
        self._storage = storage
        self._chance = chance
        self._defaults = defaults
        self._replies = replies

    async def get(self, caller: Caller, dialogue_id: str) -> dict[str, Any]:
        """The dialogue. Raises NotFound."""
        return dialogue_view(await self._storage.read(_reading(caller.user_id, dialogue_id)))

    async def reply(
        self,
        caller: Caller,
        dialogue_id: str,
        values: Mapping[str, object],
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """Answer the question by a choice's id or in words, which a model may read where one is configured. What names no
        single choice is asked again, at most 3 rounds.

        Raises NotFound, ValidationFailed, and DialogueNotWaiting where no answer is awaited.
        """
        del if_match
        said = _reply(values)
        block_id = await self._meant(caller, dialogue_id, said, keyed, in_words="text" in values)

        async def work(tx: Writing) -> Answer:
            dialogue = await _reading(caller.user_id, dialogue_id)(tx)
            if dialogue.status != WAITING:
                raise DialogueNotWaiting(dialogue.status)
            if parse_instant(dialogue.state_json["expires_at"], "expires_at") <= tx.now:
                raise DialogueNotWaiting("expired")
            block = None if block_id is None else await _block(tx, caller, block_id)
            rounds = dialogue.state_json["rounds"] + 1
            if block is not None:
                after = await self._run_again(tx, caller, dialogue, block, rounds)
            else:
                after = await _ask_again(tx, dialogue, rounds)
            return Answer(200, dialogue_view(after), resource_id=dialogue_id)

        return await under_key(self._storage, caller, keyed, "dialogues.reply", work)

    async def _meant(
        self, caller: Caller, dialogue_id: str, said: str, keyed: Keyed | None, *, in_words: bool
    ) -> str | None:
        """The block that a reply names, worked out while no transaction is open; a repeat asks no model."""

        async def look(tx: Reading) -> tuple[DialogueRow, ReplyRequest, bool]:
            dialogue = await _reading(caller.user_id, dialogue_id)(tx)
            profile = await profile_of(tx, caller.user_id, self._defaults)
            key = None if keyed is None else {"user_id": caller.user_id, "idempotency_key": keyed.key}
            repeat = key is not None and await tx.one(RequestRow, key) is not None
            return dialogue, ReplyRequest(said, choices_from(dialogue), profile, tx.now), repeat

        dialogue, request, repeat = await self._storage.read(look)
        meant = resolve(said, request.choices)
        asks = in_words and not repeat and dialogue.status == WAITING and bool(request.choices)
        if meant is not None or not asks or self._replies is None:
            return meant
        named = await self._replies.read(request)
        return named if any(choice.choice_id == named for choice in request.choices) else None

    async def _run_again(
        self, tx: Writing, caller: Caller, dialogue: DialogueRow, block: EventRow, rounds: int
    ) -> DialogueRow:
        first = await tx.one(TriggerRow, {"user_id": dialogue.user_id, "trigger_id": dialogue.trigger_id})
        feedback_id = dialogue.dialogue_id if first is None or first.feedback_id is None else first.feedback_id
        asked = Asked("unfinished_feedback", "user_feedback", "schedule_event", block.event_id)
        wanted = NewTrigger(
            dialogue.user_id,
            asked,
            caller.trace_id if first is None else first.trace_id,
            feedback_id=feedback_id,
            feedback_round=rounds,
            notify=first is None or first.notify,
        )
        made = await create_trigger(tx, wanted, self._chance)
        feedback = {"user_id": dialogue.user_id, "feedback_id": feedback_id}
        await tx.change(FeedbackRow, feedback, {"event_id": block.event_id, "task_id": block.task_id})
        state = {**dialogue.state_json, "rounds": rounds, "missing_info": []}
        after = replace(
            dialogue,
            status="rerunning",
            current_trigger_id=made.trigger.trigger_id,
            state_json=state,
            lease_until=tx.now + RERUN_LEASE,
            version=dialogue.version + 1,
        )
        return await _write(tx, dialogue, after)


async def _ask_again(tx: Writing, dialogue: DialogueRow, rounds: int) -> DialogueRow:
    state = {**dialogue.state_json, "rounds": rounds}
    if rounds < ROUNDS_MAX:
        return await _write(tx, dialogue, replace(dialogue, state_json=state, version=dialogue.version + 1))
    state |= {"pending_question": None, "failed_reason": GIVEN_UP}
    after = replace(dialogue, status="failed", state_json=state, version=dialogue.version + 1)
    after = await _write(tx, dialogue, after)
    preview = None
    if dialogue.current_preview_id is not None:
        own = {"user_id": dialogue.user_id, "preview_id": dialogue.current_preview_id}
        preview = await tx.one(PreviewRow, own)
    if preview is not None:
        await end_preview(tx, preview, "failed", GIVEN_UP)
    return after


async def _write(tx: Writing, seen: DialogueRow, after: DialogueRow) -> DialogueRow:
    """Write it over what was read, under the person's lock."""
    where = {"dialogue_id": seen.dialogue_id, "status": seen.status, "version": seen.version}
    values = {
        "status": after.status,
        "current_trigger_id": after.current_trigger_id,
        "state_json": after.state_json,
        "lease_until": after.lease_until,
        "version": after.version,
    }
    if not await tx.change(DialogueRow, where, values):
        raise DialogueNotWaiting(seen.status)
    if after.status != seen.status:
        ids = after.dialogue_id, after.current_trigger_id, after.current_preview_id
        tx.tell(DialogueChanged(None, after.status, *ids))
    return after


def _reading(user_id: str, dialogue_id: str) -> Callable[[Reading], Awaitable[DialogueRow]]:
    async def work(tx: Reading) -> DialogueRow:
        row = await tx.one(DialogueRow, {"user_id": user_id, "dialogue_id": dialogue_id})
        if row is None:
            raise NotFound("dialogue", dialogue_id)
        return row

    return work


async def _block(tx: Reading, caller: Caller, block_id: str) -> EventRow | None:
    """The block, if it is one still."""
    try:
        return await own_block(tx, caller.user_id, block_id)
    except StewardError:
        return None


def _reply(values: Mapping[str, object]) -> str:
    fields = cast("dict[str, str]", read_fields(values, _READERS))
    if len(fields) != 1:
        raise ValidationFailed("text", "choice_id or text, one of them")
    said = next(iter(fields.values()))
    if not 1 <= len(said) <= REPLY_CHARACTERS_MAX:
        raise ValidationFailed("text", f"1 to {REPLY_CHARACTERS_MAX} characters")
    return said
