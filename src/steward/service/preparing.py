"""The preparer: it takes triggers under leases and makes their previews.

Invariant: load, choose and store are three steps, and nothing is held between them; whoever lost the lease writes nothing.
Source: spec/scheduling.md ST-11, ST-21, ST-22, §17.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from steward.domain.errors import StewardError
from steward.domain.facts import SearchEnded, Selected, StepEnded, StepName
from steward.domain.resuggesting import Resuggestion
from steward.domain.trying import PREPARE_TRIES_MAX, next_try
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import TriggerRow
from steward.ports.selector import CandidateSelector
from steward.ports.solver import Solver
from steward.ports.storage import Reading, Storage, StorageProblem, Writing
from steward.ports.telemetry import UNHEARD, Telemetry
from steward.service.choosing import Chosen, choose
from steward.service.ending import free_slot
from steward.service.jobs import suggest_again
from steward.service.loading import Loaded, Loader
from steward.service.rounds import Wakeup, keep_looking
from steward.service.storing import PreviewTimes, Stored, Storing, end_trigger
from steward.service.triggering import trigger_changed

TAKEN: Final = ("processing", "failed")
LOOK_SECONDS: Final = 0.5
CHANGES_MAX: Final = 3
ERROR_CHARACTERS_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """The section `prepare` of §16 as far as it is the preparer's own, with `preview`'s."""

    concurrency: int = 4
    lease: timedelta = timedelta(seconds=60)
    tries_max: int = PREPARE_TRIES_MAX
    times: PreviewTimes = field(default_factory=PreviewTimes)
    resuggestion: Resuggestion = field(default_factory=Resuggestion)


class Preparer:
    """Prepares what was accepted. Any number of processes may: leases share the work.

    `told` is called whenever a trigger has come to an end here.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        chance: Chance,
        owner: str,
        loader: Loader,
        selector: CandidateSelector,
        settings: PrepareSettings,
        told: Callable[[], None],
        telemetry: Telemetry = UNHEARD,
        solver: Solver | None = None,
    ) -> None:
        self._storage = storage
        self._chance = chance
        self._owner = owner
        self._loader = loader
        self._selector = selector
        self._solver = solver
        self._settings = settings
        self._told = told
        self._telemetry = telemetry
        self._storing = Storing(chance=chance, loader=loader, times=settings.times)
        self._woken = Wakeup()
        self._in_flight = 0

    def wake(self) -> None:
        """Look now."""
        self._woken.wake()

    async def serve(self, stop: asyncio.Event) -> None:
        """Prepare until told to stop, up to `concurrency` triggers at once; then end what is under way."""
        async with asyncio.TaskGroup() as group:

            async def look() -> float:
                due = await self._storage.next_due(TriggerRow, TAKEN)
                if due is None or due > timedelta(0):
                    return LOOK_SECONDS if due is None else min(LOOK_SECONDS, due.total_seconds())
                for trigger in await self._take():
                    group.create_task(self._prepare(trigger))
                return LOOK_SECONDS

            await keep_looking(look, stop, self._woken, self._chance)

    async def prepare_once(self) -> int:
        """Prepare what is due now, as many as may be at once: how many were taken."""
        taken = await self._take()
        async with asyncio.TaskGroup() as group:
            for trigger in taken:
                group.create_task(self._prepare(trigger))
        return len(taken)

    async def _take(self) -> list[TriggerRow]:
        room = self._settings.concurrency - self._in_flight
        if room <= 0:
            return []
        taken = await self._storage.take(TriggerRow, TAKEN, self._owner, self._settings.lease, room)
        self._in_flight += len(taken)
        for again in (trigger for trigger in taken if trigger.attempts > 1):
            self._telemetry.tell(trigger_changed(again, again.status))
        return taken

    async def _prepare(self, trigger: TriggerRow) -> None:
        with self._telemetry.working("prepare", trigger.trace_id, trigger_id=trigger.trigger_id):
            await self._prepared(trigger)

    async def _prepared(self, trigger: TriggerRow) -> None:
        """Load, choose, store. What goes wrong is written to the trigger; where that fails, the lease gives it back."""
        try:
            if trigger.attempts > self._settings.tries_max:
                await self._failed(trigger, "preparer_lost", "its preparer was lost, and no try is left")
                return
            started = self._telemetry.seconds()
            loaded = await self._storage.read(self._loading(trigger))
            started = self._ended(trigger, "load", started)
            chosen = await choose(loaded, self._selector, self._solver)
            started = self._ended(trigger, "choose", started)
            self._tell_choice(trigger, chosen)
            again = uncounted_tries(trigger) < CHANGES_MAX

            async def work(tx: Writing) -> Stored:
                return await self._storing.store(tx, trigger, loaded, chosen, again=again)

            stored = await self._storage.change(trigger.user_id, work)
            self._ended(trigger, "store", started)
            if stored != "changed":
                self._told()
            elif not again:
                await self._failed(trigger, "base_version_changed", "the calendar changed during every preparation")
        except StorageProblem as error:
            await self._failed_if_it_can(trigger, "unavailable", error)
        except Exception as error:  # noqa: BLE001 - one trigger's error never stops the others
            code = error.code if isinstance(error, StewardError) else "internal_error"
            await self._failed_if_it_can(trigger, code, error)
        finally:
            self._in_flight -= 1
            self._woken.wake()

    def _loading(self, trigger: TriggerRow) -> Callable[[Reading], Awaitable[Loaded]]:
        async def work(tx: Reading) -> Loaded:
            return await self._loader.load(tx, trigger)

        return work

    def _ended(self, trigger: TriggerRow, step: StepName, started: float) -> float:
        """Tell how long a step took; gives when the next one starts."""
        now = self._telemetry.seconds()
        self._telemetry.tell(StepEnded(trigger.trigger_id, trigger.trace_id, step, now - started))
        return now

    def _tell_choice(self, trigger: TriggerRow, chosen: Chosen) -> None:
        searched, selection = chosen.found.found, chosen.selection
        own = trigger.trigger_id, trigger.trace_id
        if searched is not None:
            self._telemetry.tell(SearchEnded(*own, searched.nodes, searched.steps, searched.complete))
        if selection is not None:
            self._telemetry.tell(Selected(*own, selection.source))

    async def _failed_if_it_can(self, trigger: TriggerRow, code: str, error: Exception) -> None:
        try:
            await self._failed(trigger, code, f"{type(error).__name__}: {error}")
        except StorageProblem:
            return

    async def _failed(self, trigger: TriggerRow, code: str, text: str) -> None:
        """Count the try; after the last one the slot is freed and the task comes up again where ST-11 wants that."""

        async def work(tx: Writing) -> None:
            due = next_try(trigger.attempts, tx.now, self._chance.fraction(), self._settings.tries_max)
            values: dict[str, object] = {
                "status": "failed",
                "last_error_code": code,
                "last_error": text[:ERROR_CHARACTERS_MAX],
                "next_try_at": due,
            }
            if due is not None:
                await end_trigger(tx, trigger, values)
            elif await end_trigger(tx, trigger, {**values, "completed_at": tx.now}):
                await fail_finally(tx, trigger, self._settings.resuggestion, self._chance)

        await self._storage.change(trigger.user_id, work)
        self._told()


def uncounted_tries(trigger: TriggerRow) -> int:
    """How often a taken trigger was given back because the calendar had changed: every take raises the epoch, and each of
    those gave its try back (ST-21). So the row knows it, whichever process took it.
    """
    return trigger.lease_epoch - trigger.attempts


async def fail_finally(tx: Writing, trigger: TriggerRow, policy: Resuggestion, chance: Chance) -> None:
    """What follows from a trigger's final failure: its slot is free, its task may come up again."""
    await free_slot(tx, trigger.user_id, trigger.trigger_id)
    if not trigger.is_mock_time:
        await suggest_again(tx, trigger.user_id, trigger.target_id, policy, chance)
