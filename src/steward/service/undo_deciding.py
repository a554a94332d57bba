"""Whether an apply can still be taken back, from rows read again.

Invariant: what is said to be possible here is what undo does. Source: spec/scheduling.md ST-41, ST-49.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from steward.domain.applying import Undo, decide_undo
from steward.domain.changes import calendar_of
from steward.domain.errors import UndoNotPossible
from steward.domain.profile import Profile
from steward.domain.span import Span, seconds_up, span_of
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import TriggerRow
from steward.ports.storage import Is, Reading
from steward.service.instants import parse_instant
from steward.service.reading import context_of, events_between, hull_of, tasks_of


async def check_undo(tx: Reading, apply: ApplyRow, trigger: TriggerRow, profile: Profile, horizon: timedelta) -> None:
    """Raise UndoNotPossible with each reason where the calendar is no longer what the apply left."""
    if apply.undo_json is None or apply.undo_until is None or apply.undone_at is not None:
        raise UndoNotPossible(("nothing is applied",))
    undo = Undo(tuple(_row(entry) for entry in apply.undo_json))
    places = [place for _, before, after in undo.rows for place in (before, after) if place is not None]
    around = hull_of(places, profile.grid.buffer_minutes)
    events = [row.event for row in await events_between(tx, profile.user_id, *around)]
    names = sorted({name for name, _, _ in undo.rows} - {event.event_id for event in events})
    if names:  # moved farther away, or cancelled
        elsewhere = {"user_id": profile.user_id, "event_id": Is("in", names)}
        events += [row.event for row in await tx.all(EventRow, elsewhere)]
    tasks = await tasks_of(tx, profile.user_id, events)
    context = context_of(profile, trigger, None, events, tasks, tx.now, horizon)
    decide_undo(undo, calendar_of(context, seconds_up(tx.now)), apply.undo_until, tx.now)


async def can_undo(
    tx: Reading, apply: ApplyRow | None, trigger: TriggerRow, profile: Profile, horizon: timedelta
) -> bool:
    """The same as an answer."""
    if apply is None or apply.status != "applied":
        return False
    try:
        await check_undo(tx, apply, trigger, profile, horizon)
    except UndoNotPossible:
        return False
    return True


def _row(entry: Mapping[str, Any]) -> tuple[str, Span | None, Span]:
    before = None if entry["before"] is None else span_of(*_times(entry["before"]))
    return entry["event_id"], before, span_of(*_times(entry["after"]))


def _times(place: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return parse_instant(place["start"], "start"), parse_instant(place["end"], "end")
