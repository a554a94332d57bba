"""Confirming a preview: the one transaction that changes the calendar, its row, its answer and its message together.

Invariant: of all confirms of a preview one wins, whatever their keys; every answer from step 4 on is kept under its key.
Source: spec/scheduling.md ST-43 to ST-48.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from typing import Final

from steward.domain.applying import UNDO_WINDOW, undo_of
from steward.domain.context import HORIZON
from steward.domain.errors import BaseVersionChanged, SlotConflict, StewardError
from steward.domain.facts import AnswerReplayed, ApplyChanged, ConfirmEnded
from steward.domain.profile import Profile
from steward.domain.resuggesting import Resuggestion
from steward.ports.chance import Chance
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Busy, Storage, StorageProblem, Taken, Unavailable, Writing
from steward.ports.telemetry import UNHEARD, Telemetry
from steward.service.answer import Answer, Caller, kept_answer
from steward.service.apply_deciding import UNREADABLE, Decided, decide_confirm
from steward.service.apply_messages import ApplyMessages
from steward.service.changing import raise_revision, write_changes
from steward.service.confirm_request import ConfirmRequest, parse_confirm
from steward.service.ending import end_preview, end_seen, expire_preview, free_slot
from steward.service.person import Defaults, profile_of
from steward.service.problems import (
    AlreadyApplied,
    AlreadyUndone,
    Expired,
    IdempotencyInProgress,
    IdempotencyMismatch,
    PreviewIgnored,
    PreviewNotReady,
    PreviewSuperseded,
    problem_of,
)
from steward.service.reading import apply_of, own_preview, trigger_of
from steward.service.views.applies import applied_changes, apply_view, undo_view

ERROR_CHARACTERS_MAX: Final = 1000
OK: Final = 200


@dataclass(frozen=True, slots=True)
class ApplySettings:
    """How far ahead places may lie, how long an apply can be undone, and what a preview that expired leads to."""

    horizon: timedelta = HORIZON
    undo_window: timedelta = UNDO_WINDOW
    resuggestion: Resuggestion = field(default_factory=Resuggestion)


class Confirming:
    """The one use case that writes what a preview proposes."""

    def __init__(
        self,
        *,
        storage: Storage,
        chance: Chance,
        defaults: Defaults,
        settings: ApplySettings,
        telemetry: Telemetry = UNHEARD,
    ) -> None:
        self._storage, self._chance = storage, chance
        self._defaults, self._settings, self._telemetry = defaults, settings, telemetry

    async def confirm(
        self, caller: Caller, preview_id: str, values: Mapping[str, object], *, if_match: str, key: str
    ) -> Answer:
        """Apply a candidate, or answer as before under the same key.

        An answer with a status of 400 or more is a refusal that was stored, its body a problem. What steps 1 to 3 refuse,
        and what cannot be read, is raised and stored by nobody; so is Unavailable, where the same key is to be sent again.
        """
        request = parse_confirm(caller.user_id, preview_id, values, if_match=if_match, key=key)
        started = self._telemetry.seconds()
        with self._telemetry.working("confirm", caller.trace_id, preview_id=preview_id):
            answer = await self._answer(caller, request)
        self._telemetry.tell(ConfirmEnded(self._telemetry.seconds() - started))
        return answer

    async def _answer(self, caller: Caller, request: ConfirmRequest) -> Answer:
        async def work(tx: Writing) -> Answer:
            return await self._confirm(tx, caller, request)

        try:
            try:
                return await self._storage.change(caller.user_id, work)
            except Taken:  # a race that was lost is read again: the winner's row is there now (ST-46)
                return await self._storage.change(caller.user_id, work)
        except Busy as error:
            raise IdempotencyInProgress from error
        except Unavailable as error:
            return await self._after_outage(caller, request, error)

    async def _confirm(self, tx: Writing, caller: Caller, request: ConfirmRequest) -> Answer:
        preview = await own_preview(tx, caller.user_id, request.preview_id)
        known = await _known(tx, request)
        if known is not None and known.status != "failed":
            tx.tell(AnswerReplayed("previews.confirm"))
            return _kept(known)
        await _refuse_ended(tx, preview)
        trigger = await trigger_of(tx, preview)
        messages = ApplyMessages(caller, preview, trigger, self._chance)
        profile = await profile_of(tx, caller.user_id, self._defaults)
        row = _blank(tx, request, preview)
        try:
            decided = await decide_confirm(tx, request, preview, trigger, profile, self._settings.horizon)
            ids = await self._write(tx, decided, profile, row)
        except StewardError as error:
            return await self._refuse(tx, caller, error, row, preview, messages, takes_over=known is not None)
        return await self._keep(tx, decided, ids, row, preview, messages, takes_over=known is not None)

    async def _write(self, tx: Writing, decided: Decided, profile: Profile, row: ApplyRow) -> dict[str, str]:
        """The ids of new events, by change. A refusal, which only a moved event can bring, takes all of it back."""

        async def write() -> dict[str, str]:
            return await write_changes(tx, decided.writes, profile, row.preview_id, row.apply_id, self._chance)

        return await (tx.savepoint(write) if decided.writes.shifts else write())

    async def _keep(
        self,
        tx: Writing,
        decided: Decided,
        ids: Mapping[str, str],
        row: ApplyRow,
        preview: PreviewRow,
        messages: ApplyMessages,
        *,
        takes_over: bool,
    ) -> Answer:
        """Step 10, once the calendar is written."""
        changes = applied_changes(decided.writes, decided.edited.changes, ids)
        applied = replace(
            row,
            status="applied",
            applied_slot=preview.preview_id,
            applied_changes_json=changes,
            applied_event_ids_json=[change["event_id"] for change in changes],
            undo_json=undo_view(undo_of(decided.writes, ids), decided.rows),
            undo_until=tx.now + self._settings.undo_window,
            response_status=OK,
            applied_at=tx.now,
        )
        body = apply_view(applied, decided.edited.dropped)
        await _store(tx, replace(applied, response_json=body), preview, takes_over=takes_over)
        await end_seen(tx, preview, "applied")
        await tx.add(messages.succeeded(applied, await raise_revision(tx, row.user_id)))
        return Answer(OK, body, resource_id=row.apply_id)

    async def _refuse(
        self,
        tx: Writing,
        caller: Caller,
        error: StewardError,
        row: ApplyRow,
        preview: PreviewRow,
        messages: ApplyMessages,
        *,
        takes_over: bool,
    ) -> Answer:
        """Store the refusal with its answer; the preview stays as it is but where it is over, or cannot be read (ST-44)."""
        status = "expired" if isinstance(error, Expired) else "rejected"
        match error:
            case Expired():
                await expire_preview(tx, preview, self._settings.resuggestion, self._chance)
            case PreviewNotReady():  # a step 3 that only now is known: there is no candidate to keep an apply of
                await end_preview(tx, preview, UNREADABLE, "candidates_unreadable")
                body = problem_of(error).body(caller.locale, caller.request_id)
                return Answer(problem_of(error).status, body)
            case BaseVersionChanged() | SlotConflict():
                await free_slot(tx, preview.user_id, preview.trigger_id)
            case _:
                pass
        problem = problem_of(error)
        body = problem.body(caller.locale, caller.request_id, apply_status=status)
        refused = replace(
            row,
            status=status,
            error_code=problem.code,
            error=problem.detail[:ERROR_CHARACTERS_MAX],
            response_status=problem.status,
            response_json=body,
        )
        await _store(tx, refused, preview, takes_over=takes_over)
        await tx.add(messages.failed(refused))
        return Answer(problem.status, body, resource_id=row.apply_id)

    async def _after_outage(self, caller: Caller, request: ConfirmRequest, error: Unavailable) -> Answer:
        """Record that the storage failed, in a small transaction of its own; or answer, if the work was done after all."""

        async def work(tx: Writing) -> Answer | None:
            known = await _known(tx, request)
            if known is not None and known.status == "failed":
                return None
            preview = await own_preview(tx, caller.user_id, request.preview_id)
            if known is not None:  # it was done after all, and nobody was told
                tx.tell(apply_changed(known, preview, known.status, known.error_code))
                return _kept(known)
            trigger = await trigger_of(tx, preview)
            problem = problem_of(error)
            row = replace(_blank(tx, request, preview), status="failed", error_code=problem.code, error=problem.detail)
            await _store(tx, row, preview, takes_over=False)
            await tx.add(ApplyMessages(caller, preview, trigger, self._chance).failed(row))
            return None

        try:
            healed = await self._storage.change(caller.user_id, work)
        except (StorageProblem, StewardError):
            healed = None
        if healed is None:
            raise error
        return healed


async def _known(tx: Writing, request: ConfirmRequest) -> ApplyRow | None:
    """The apply of this key. Raises IdempotencyMismatch where the key belongs to another request, of whatever route."""
    key = {"user_id": request.user_id, "idempotency_key": request.key}
    known = await tx.one(ApplyRow, key)
    if known is not None and known.request_hash != request.request_hash:
        raise IdempotencyMismatch(request.key)
    if known is None and await kept_answer(tx, key) is not None:
        raise IdempotencyMismatch(request.key)
    return known


def _kept(row: ApplyRow) -> Answer:
    return Answer(row.response_status or OK, row.response_json, resource_id=row.apply_id, replayed=True)


async def _refuse_ended(tx: Writing, preview: PreviewRow) -> None:
    """Step 3."""
    match preview.status:
        case "applied":
            winner = await apply_of(tx, preview)
            raise AlreadyApplied("" if winner is None else winner.apply_id)
        case "undone":
            raise AlreadyUndone(preview.preview_id)
        case "ignored":
            raise PreviewIgnored(preview.preview_id)
        case "superseded":
            raise PreviewSuperseded(preview.superseded_by)
        case "pending" | "failed":
            raise PreviewNotReady(preview.status)
        case _:
            return


def apply_changed(apply: ApplyRow, preview: PreviewRow, status: str, code: str | None = None) -> ApplyChanged:
    """What telemetry is told where an apply comes to this state."""
    ids = apply.apply_id, preview.preview_id, preview.trigger_id, preview.trace_id
    return ApplyChanged(*ids, status, code)


def _blank(tx: Writing, request: ConfirmRequest, preview: PreviewRow) -> ApplyRow:
    return ApplyRow(
        apply_id=request.apply_id,
        preview_id=request.preview_id,
        user_id=request.user_id,
        candidate_id=request.candidate_id,
        idempotency_key=request.key,
        request_hash=request.request_hash,
        status="applying",
        trace_id=preview.trace_id,
        created_at=tx.now,
    )


async def _store(tx: Writing, row: ApplyRow, preview: PreviewRow, *, takes_over: bool) -> None:
    """Write the row, in the place of one that failed where there is one."""
    tx.tell(apply_changed(row, preview, row.status, row.error_code))
    if not takes_over:
        await tx.insert(row)
        return
    values = {name: value for name, value in asdict(row).items() if name not in {"apply_id", "user_id", "created_at"}}
    await tx.change(ApplyRow, {"apply_id": row.apply_id, "user_id": row.user_id, "status": "failed"}, values)
