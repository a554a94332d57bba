"""Triggers on request: made, looked at, and tried without writing anything.

Invariant: a dry run reads in one transaction and writes nothing. Source: spec/scheduling.md ST-18, ST-19, ST-26, §12.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from steward.domain.errors import NotFound
from steward.domain.ids import row_id
from steward.domain.triggering import DEDUPE_WINDOW, DRY_RUN
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.solver import Solver
from steward.ports.storage import Reading, Storage, Taken, Writing
from steward.service.answer import Answer, Caller, Keyed
from steward.service.answer import keyed as under_key
from steward.service.choosing import suggestion_of
from steward.service.loading import Loaded, Loader
from steward.service.problems import SuggestionsOff
from steward.service.rounds import Wakeup
from steward.service.trigger_request import TriggerRequest, check_target, parse_trigger
from steward.service.triggering import NewTrigger, create_trigger, trigger_row
from steward.service.views.suggestions import candidates_view, context_summary, decision_view, observation_view
from steward.service.views.triggers import trigger_view

_LOOK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class TriggerSettings:
    """`enabled` and the section `trigger` of §16."""

    enabled: bool = True
    dedupe_window: timedelta = DEDUPE_WINDOW
    allow_mock_time: bool = False


class Triggers:
    """A person's triggers. `news` is woken whenever a trigger has come to an end in this process."""

    def __init__(
        self,
        *,
        storage: Storage,
        chance: Chance,
        loader: Loader,
        settings: TriggerSettings,
        news: Wakeup,
        solver: Solver | None = None,
    ) -> None:
        self._storage = storage
        self._chance = chance
        self._loader = loader
        self._settings = settings
        self._news = news
        self._solver = solver

    async def create(
        self,
        caller: Caller,
        values: Mapping[str, object],
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
        source: str = "api_trigger",
    ) -> Answer:
        """Ask for a suggestion. With `wait_seconds` the answer waits so long for its end, which the stored one does not.

        Raises SuggestionsOff, ValidationFailed, Forbidden, NotFound, IdempotencyMismatch.
        """
        del if_match
        if not self._settings.enabled:
            raise SuggestionsOff("suggestions are switched off by `enabled`")
        request = parse_trigger(values, source, caller, mock_allowed=self._settings.allow_mock_time)
        request_hash = None if keyed is None else keyed.fingerprint(caller.user_id)

        async def work(tx: Writing) -> Answer:
            wanted = NewTrigger(
                caller.user_id,
                await check_target(tx, caller.user_id, request.asked),
                caller.trace_id,
                feedback_id=request.feedback_id,
                idempotency_key=None if keyed is None else keyed.key,
                request_hash=request_hash,
                notify=request.notify,
                payload=request.payload,
            )
            made = await create_trigger(tx, wanted, self._chance, window=self._settings.dedupe_window)
            body = {**await _view(tx, made.trigger), "dedupe_hit": made.dedupe_hit}
            location = f"/api/v1/triggers/{made.trigger.trigger_id}"
            return Answer(202, body, location=location, resource_id=made.trigger.trigger_id)

        try:
            answer = await under_key(self._storage, caller, keyed, "triggers.create", work)
        except Taken:  # somebody was first: it is there now
            answer = await under_key(self._storage, caller, keyed, "triggers.create", work)
        return await self._waited(caller, answer, request)

    async def get(self, caller: Caller, trigger_id: str) -> dict[str, Any]:
        """The trigger. Raises NotFound."""

        async def work(tx: Reading) -> dict[str, Any]:
            row = await tx.one(TriggerRow, {"user_id": caller.user_id, "trigger_id": trigger_id})
            if row is None:
                raise NotFound("trigger", trigger_id)
            return await _view(tx, row)

        return await self._storage.read(work)

    async def dry_run(self, caller: Caller, values: Mapping[str, object]) -> dict[str, Any]:
        """What a trigger would find and offer now, by the rule; nothing is written (ST-26)."""
        request = parse_trigger(values, DRY_RUN, caller, mock_allowed=self._settings.allow_mock_time)

        async def work(tx: Reading) -> tuple[TriggerRow, Loaded]:
            wanted = NewTrigger(
                caller.user_id,
                await check_target(tx, caller.user_id, request.asked),
                caller.trace_id,
                feedback_id=request.feedback_id,
            )
            trigger = trigger_row(wanted, row_id("trg", self._chance.uuid7()), tx.now, self._settings.dedupe_window)
            return trigger, await self._loader.load(tx, trigger)

        trigger, loaded = await self._storage.read(work)
        found = await suggestion_of(loaded, self._solver)
        return {
            "context": context_summary(loaded.context, trigger, found),
            "observation": observation_view(found.observation),
            "candidates": candidates_view(found.candidates),
            "decision": decision_view(found.decision),
        }

    async def _waited(self, caller: Caller, answer: Answer, request: TriggerRequest) -> Answer:
        if not request.wait_seconds or answer.replayed:
            return answer
        try:
            async with asyncio.timeout(request.wait_seconds):
                while True:
                    self._news.forget()
                    seen = await self.get(caller, answer.body["trigger_id"])
                    if seen["completed_at"] is not None:
                        return replace(answer, body={**seen, "dedupe_hit": answer.body["dedupe_hit"]})
                    await self._news.wait(_LOOK_SECONDS)
        except TimeoutError:
            return answer


async def _view(tx: Reading, row: TriggerRow) -> dict[str, Any]:
    preview = None
    if row.status == "preview_generated":
        preview = await tx.one(PreviewRow, {"user_id": row.user_id, "trigger_id": row.trigger_id})
    return trigger_view(row, None if preview is None else preview.preview_id)
