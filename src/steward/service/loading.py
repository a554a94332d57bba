"""What a trigger is prepared from, read in one transaction.

Invariant: everything is of one moment; `effective_now` says what is read, real time what is promised.
Source: spec/scheduling.md ST-21 (load), ST-23, ST-52, §18.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from steward.domain.choices import AHEAD, BEHIND, choices_of
from steward.domain.context import EVENTS_MAX, HORIZON, WINDOW, Context, within_events_max
from steward.domain.event import Event
from steward.domain.offer import USUAL, OfferLimits
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import TriggerRow
from steward.ports.storage import Is, Reading
from steward.service.person import Defaults, profile_of
from steward.service.reading import context_of, makeup_exists, target_of, tasks_of

TOO_MANY_EVENTS: Final = "too many events: the horizon ends at the last one that was read"


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How far is looked, how many busy events at most, and how much is offered (`prepare.` and `search.` of §16)."""

    window: timedelta = WINDOW
    horizon: timedelta = HORIZON
    events_max: int = EVENTS_MAX
    offering: OfferLimits = USUAL


@dataclass(frozen=True, slots=True)
class Loaded:
    """The context; whether the unfinished block has its makeup; without a target the blocks that may be meant; and how much
    may be offered.
    """

    context: Context
    makeup_exists: bool
    choices: tuple[Event, ...]
    offering: OfferLimits = USUAL


class Loader:
    """Reads what there is to know about a trigger."""

    def __init__(self, *, defaults: Defaults, settings: LoadSettings) -> None:
        self._defaults = defaults
        self._settings = settings

    async def load(self, tx: Reading, trigger: TriggerRow) -> Loaded:
        """The trigger's context as this transaction sees it. Raises NotFound where its person is gone."""
        profile = await profile_of(tx, trigger.user_id, self._defaults)
        now = trigger.mock_now or tx.now
        gap = timedelta(minutes=profile.grid.buffer_minutes)
        start, end = now - gap, now + self._settings.horizon
        where = {"user_id": trigger.user_id, "end_at": Is(">", start), "status": Is("!=", "cancelled")}
        order = ("start_at", "event_id")
        most = self._settings.events_max + 1
        busy = await tx.all(EventRow, {**where, "start_at": Is("<", end + gap), "busy": True}, order=order, limit=most)
        idle = await tx.all(EventRow, {**where, "start_at": Is("<", end), "busy": False}, order=order, limit=most)
        read, read_to = within_events_max([row.event for row in busy], end, self._settings.events_max)
        events = [*read, *(row.event for row in idle)]
        target = await target_of(tx, trigger, now)
        context = context_of(
            profile, trigger, target, events, await tasks_of(tx, trigger.user_id, events), tx.now, read_to - now
        )
        context = replace(context, window=self._settings.window, warnings=(TOO_MANY_EVENTS,) if read_to < end else ())
        if target is None:
            return Loaded(context, makeup_exists=False, choices=tuple(await self._choices(tx, trigger)))
        made_up = await makeup_exists(tx, target, trigger.user_id)
        return Loaded(context, made_up, (), self._settings.offering)

    async def _choices(self, tx: Reading, trigger: TriggerRow) -> Sequence[Event]:
        now = trigger.mock_now or tx.now
        where = {
            "user_id": trigger.user_id,
            "task_id": Is("not null"),
            "end_at": Is(">", now - BEHIND),
            "start_at": Is("<", now + AHEAD),
            "status": Is("!=", "cancelled"),
        }
        return choices_of([row.event for row in await tx.all(EventRow, where)], now)
