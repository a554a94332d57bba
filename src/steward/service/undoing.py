"""Taking an apply back: the calendar as it was, in one transaction.

Invariant: every row of the apply is restored, or none; a second undo changes nothing. Source: spec/scheduling.md ST-49.
"""

from collections.abc import Mapping
from dataclasses import replace

from steward.domain.errors import StewardError, UndoNotPossible
from steward.domain.facts import UndoEnded
from steward.ports.chance import Chance
from steward.ports.rows.answer import ApplyRow
from steward.ports.storage import Storage, Writing
from steward.ports.telemetry import UNHEARD, Telemetry
from steward.service.answer import Answer, Caller, Keyed
from steward.service.answer import keyed as under_key
from steward.service.apply_messages import ApplyMessages
from steward.service.changing import raise_revision, take_back
from steward.service.confirming import ApplySettings, apply_changed
from steward.service.ending import end_seen
from steward.service.fields import read_fields
from steward.service.person import Defaults, profile_of
from steward.service.problems import AlreadyUndone
from steward.service.reading import apply_of, own_preview, trigger_of
from steward.service.undo_deciding import check_undo
from steward.service.views.applies import undone_view


class Undoing:
    """The one use case that takes an apply back."""

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

    async def undo(
        self,
        caller: Caller,
        preview_id: str,
        values: Mapping[str, object] | None = None,
        *,
        keyed: Keyed | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """Cancel what was added, put back what was moved. Raises NotFound, AlreadyUndone, UndoNotPossible."""
        del if_match  # an undo is checked event by event
        read_fields(values or {}, {})

        async def work(tx: Writing) -> Answer:
            return await self._undo(tx, caller, preview_id)

        try:
            with self._telemetry.working("undo", caller.trace_id, preview_id=preview_id):
                return await under_key(self._storage, caller, keyed, "previews.undo", work)
        except StewardError as error:
            self._telemetry.tell(UndoEnded(preview_id, error.code))
            raise

    async def _undo(self, tx: Writing, caller: Caller, preview_id: str) -> Answer:
        preview = await own_preview(tx, caller.user_id, preview_id)
        if preview.status == "undone":
            raise AlreadyUndone(preview_id)
        apply = await apply_of(tx, preview)
        if preview.status != "applied" or apply is None:
            raise UndoNotPossible(("nothing is applied",))
        trigger = await trigger_of(tx, preview)
        profile = await profile_of(tx, caller.user_id, self._defaults)
        await check_undo(tx, apply, trigger, profile, self._settings.horizon)
        restored, cancelled = await take_back(tx, caller.user_id, apply.undo_json)
        await raise_revision(tx, caller.user_id)
        undone = replace(apply, undone_at=tx.now)
        await tx.change(ApplyRow, {"apply_id": apply.apply_id, "user_id": apply.user_id}, {"undone_at": tx.now})
        await end_seen(tx, preview, "undone")
        messages = ApplyMessages(caller, preview, trigger, self._chance)
        await tx.add(messages.undone(undone, restored, cancelled))
        tx.tell(apply_changed(undone, preview, "undone"))
        tx.tell(UndoEnded(preview_id, "undone"))
        return Answer(200, undone_view(undone, restored, cancelled), resource_id=apply.apply_id)
