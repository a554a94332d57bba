"""Making a trigger, in whoever's transaction: the scan's, a request's, a feedback's.

Invariant: a trigger and its message are there together or not at all, and two live ones never mean the same thing.
Source: spec/scheduling.md ST-4, ST-19, ST-20.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from steward.domain.facts import DedupeHit, TriggerChanged
from steward.domain.ids import row_id
from steward.domain.triggering import DEDUPE_WINDOW, Asked, dedupe_key, dedupe_until
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import TriggerRow
from steward.ports.storage import Is, Writing
from steward.service.messages import triggered
from steward.service.problems import IdempotencyMismatch


@dataclass(frozen=True, slots=True)
class NewTrigger:
    """What is to be made; `feedback_round` tells apart the triggers of one feedback (ST-53)."""

    user_id: str
    asked: Asked
    trace_id: str
    feedback_id: str | None = None
    feedback_round: int = 0
    job_id: str | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    notify: bool = True
    payload: Any = None

    @property
    def dedupe_key(self) -> str:
        """What it shares with another one for the same thing."""
        feedback = self.feedback_id
        if feedback is not None and self.feedback_round:
            feedback = f"{feedback}:{self.feedback_round}"
        return dedupe_key(self.user_id, self.asked, feedback_id=feedback, idempotency_key=self.idempotency_key)


@dataclass(frozen=True, slots=True)
class Made:
    """The trigger that there is now; `dedupe_hit`: it was there before."""

    trigger: TriggerRow
    dedupe_hit: bool


async def create_trigger(tx: Writing, wanted: NewTrigger, chance: Chance, *, window: timedelta = DEDUPE_WINDOW) -> Made:
    """Add the trigger and its message, or give the one that means the same. Raises IdempotencyMismatch.

    Raises Taken where somebody who did not hold the person's lock was first: done again, it finds that one.
    """
    key = {"user_id": wanted.user_id, "trigger_type": wanted.asked.trigger_type}
    if wanted.idempotency_key is not None:
        known = await tx.one(TriggerRow, {**key, "idempotency_key": wanted.idempotency_key})
        if known is not None and known.request_hash != wanted.request_hash:
            raise IdempotencyMismatch(wanted.idempotency_key)
        if known is not None:
            tx.tell(DedupeHit(known.trigger_id, "key", known.trace_id))
            return Made(known, dedupe_hit=True)
    slot = {**key, "dedupe_slot": wanted.dedupe_key}
    held = await tx.one(TriggerRow, slot)
    if held is not None and not is_over(held, wanted.asked.mock_now or tx.now):
        tx.tell(DedupeHit(held.trigger_id, "slot", held.trace_id))
        return Made(held, dedupe_hit=True)
    (row,) = await add_triggers(tx, [wanted], [] if held is None else [held], chance, window=window)
    return Made(row, dedupe_hit=False)


async def add_triggers(
    tx: Writing, wanted: Sequence[NewTrigger], over: Sequence[TriggerRow], chance: Chance, *, window: timedelta
) -> list[TriggerRow]:
    """Add triggers of one person, each with its message; those that are `over` leave their slots to them. Raises Taken."""
    if over:
        old = {"user_id": over[0].user_id, "trigger_id": Is("in", tuple(row.trigger_id for row in over))}
        await tx.change(TriggerRow, old, {"dedupe_slot": None})
    rows = [trigger_row(one, row_id("trg", chance.uuid7()), tx.now, window) for one in wanted]
    await tx.insert_all(rows)
    await tx.add(*(triggered(row, chance) for row in rows))
    for row in rows:
        tx.tell(trigger_changed(row, row.status))
    return rows


def trigger_changed(trigger: TriggerRow, status: str, code: str | None = None) -> TriggerChanged:
    """What telemetry is told where the trigger comes to this state."""
    return TriggerChanged(
        trigger.trigger_id, trigger.trigger_type, trigger.source, status, trigger.trace_id, code, trigger.attempts
    )


def is_over(held: TriggerRow, effective_now: datetime) -> bool:
    """Whether the trigger's window has gone by, so that it holds its slot no longer."""
    return held.dedupe_until is not None and held.dedupe_until <= effective_now


def trigger_row(wanted: NewTrigger, trigger_id: str, now: datetime, window: timedelta) -> TriggerRow:
    """The row of a new trigger, requested `now`."""
    asked = wanted.asked
    return TriggerRow(
        trigger_id=trigger_id,
        user_id=wanted.user_id,
        trigger_type=asked.trigger_type,
        source=asked.source,
        target_type=asked.target_type,
        target_id=asked.target_id,
        feedback_id=wanted.feedback_id,
        job_id=wanted.job_id,
        idempotency_key=wanted.idempotency_key,
        request_hash=wanted.request_hash,
        dedupe_key=wanted.dedupe_key,
        dedupe_slot=wanted.dedupe_key,
        dedupe_until=dedupe_until(asked, now, window),
        notify=wanted.notify,
        mock_now=asked.mock_now,
        is_mock_time=asked.is_mock_time,
        requested_at=now,
        payload_json=wanted.payload,
        trace_id=wanted.trace_id,
        created_at=now,
    )
