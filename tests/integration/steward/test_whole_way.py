"""From a due job to an undo, and the repairs beside it, on each database."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from random import getrandbits
from typing import Any

import pytest
from sqlalchemy import text

from outrider.testing.clock import ManualClock
from steward.ports.rows.answer import ApplyRow, DialogueRow
from steward.ports.rows.calendar import TaskRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Reading, Writing
from steward.service.accepting import Accepting
from steward.service.apply_messages import SUCCEEDED, UNDONE
from steward.service.messages import NOTIFY, PROMOTE, TRIGGERED, message_id_of, promotion, triggered
from steward.service.person import Defaults
from steward.service.pruning import prune_once
from tests.integration.steward.parts import PERSON, Database, SetChance
from tests.integration.steward.stage import ANNA, Stage
from tests.integration.steward.stories import OTHER_TRACE, Story

pytestmark = pytest.mark.timeout(60)
LOG = "SELECT type, causation_id, trace FROM steward_outbox_message WHERE correlation_id = :trace ORDER BY id"


@pytest.fixture
def chance() -> SetChance:
    """Counts from anywhere: a server's log keeps what other tests added under the first ids."""
    made = SetChance()
    made.made = getrandbits(40)
    return made


@pytest.fixture
def stage(anywhere: Database, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(anywhere.storage, clock, chance)


async def accept_all(stage: Stage, chance: SetChance) -> None:
    """Hand what was triggered to its handler, as the consumer does."""
    handlers = Accepting(defaults=Defaults(), wake=lambda: None)
    for trigger in await stage.rows(TriggerRow, status="pending"):
        await stage.storage.change(PERSON, accepting(handlers, triggered(trigger, chance).body))


def accepting(handlers: Accepting, body: Mapping[str, Any]) -> Callable[[Writing], Awaitable[None]]:
    async def work(tx: Writing) -> None:
        await handlers.triggered(tx, body)

    return work


async def log(anywhere: Database, trace_id: str | None) -> dict[str, list[str]]:
    """The messages of a trace: by type, what led to each, and its trace."""
    async with anywhere.engine.connect() as connection:
        rows = list(await connection.execute(text(LOG), {"trace": trace_id}))
    found = [[said.decode() if isinstance(said, bytes) else str(said) for said in row] for row in rows]
    return {type_: more for type_, *more in found}


async def test_trace_id_is_one_from_job_to_undo(anywhere: Database, stage: Stage, chance: SetChance) -> None:
    """ST-66, ST-65, ST-4: job, trigger, preview, apply and every message but a request's own trace beside it."""
    story = Story(anywhere.storage, chance)
    await story.begin()
    lab = await stage.row(TaskRow, task_id="tsk_lab")
    await stage.reconciler.reconcile_once()
    assert (await stage.row(JobRow)).trigger_at == lab.urgency_threshold_at
    assert (await stage.scanner().scan_once()).codes == {"triggered": 1}
    await accept_all(stage, chance)
    assert await stage.preparer().prepare_once() == 1
    preview = await stage.row(PreviewRow)
    assert preview.selected_candidate_id.startswith("move_one:")
    assert (await story.confirm(preview)).status == 200
    assert (await story.undo(preview)).status == 200
    job, trigger, apply = await stage.row(JobRow), await stage.row(TriggerRow), await stage.row(ApplyRow)
    assert len({job.trace_id, trigger.trace_id, preview.trace_id, apply.trace_id}) == 1
    messages = await log(anywhere, job.trace_id)
    assert set(messages) == {TRIGGERED, PROMOTE, NOTIFY, SUCCEEDED, UNDONE}
    for name in (TRIGGERED, PROMOTE, NOTIFY):
        assert f"00-{job.trace_id}-" in messages[name][1]
    assert OTHER_TRACE in messages[SUCCEEDED][1]
    assert messages[TRIGGERED][0] == "None"
    assert messages[NOTIFY][0] == message_id_of(TRIGGERED, trigger.trigger_id)
    assert messages[SUCCEEDED][0] == message_id_of(NOTIFY, preview.preview_id)


async def test_a_reply_is_answered_by_a_makeup(stage: Stage, chance: SetChance) -> None:
    """ST-50, ST-51, ST-53: question, reply, preview."""
    task = await stage.task(urgency_threshold_at=None)
    now = await stage.storage.read(_now)
    await stage.block("evt_past", now - timedelta(hours=5), task["task_id"], title="Reading")
    await stage.feedback.create(ANNA, {"kind": "unfinished"})
    await accept_all(stage, chance)
    await stage.preparer().prepare_once()
    dialogue = await stage.row(DialogueRow)
    await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"text": "reading"})
    await accept_all(stage, chance)
    await stage.preparer().prepare_once()
    assert (await stage.row(DialogueRow)).status == "ready_preview"
    assert {row.status for row in await stage.rows(PreviewRow)} == {"superseded", "ready"}


async def test_a_promotion_and_a_repair_and_an_end(stage: Stage, chance: SetChance) -> None:
    """ST-9, ST-10, ST-11, ST-41, §2: what each database does with the same statements."""
    made = await stage.task(urgency_threshold_at="2020-01-01T00:00:00Z")
    await stage.scanner().scan_once()
    now = await stage.storage.read(_now)
    body = promotion(PERSON, "job_1", [made["task_id"]], now, "ab" * 16, chance).body
    handlers = Accepting(defaults=Defaults(), wake=lambda: None)
    await stage.storage.change(PERSON, lambda tx: handlers.promote(tx, body))
    assert (await stage.row(TaskRow)).priority_group == 1
    await accept_all(stage, chance)
    await stage.preparer().prepare_once()
    await stage.change(PreviewRow, {"status": "ready"}, {"expires_at": now - timedelta(seconds=1)})
    assert (await stage.reconciler.reconcile_once())["preview_expired"] == 1
    (trigger,) = await stage.rows(TriggerRow)
    assert trigger.dedupe_slot is None
    jobs = sorted(await stage.rows(JobRow), key=lambda job: job.round)
    assert [(job.round, job.status) for job in jobs] == [(0, "triggered"), (1, "pending")]
    await stage.tasks.complete(ANNA, made["task_id"], {})
    assert await prune_once(stage.storage, timedelta(days=-1), 100) == 4
    assert not await stage.rows(TriggerRow)
    assert not await stage.rows(PreviewRow)


async def _now(tx: Reading) -> datetime:
    return tx.now
