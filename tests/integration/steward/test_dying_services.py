"""The background services where a write fails, a message comes twice, or the process is killed at any step of its work.

ST-4 to ST-22 and ST-53 on each database: what one transaction writes is there together or not at all, and whoever comes after
the dead one ends its work, once.
"""

from collections import Counter
from dataclasses import replace
from itertools import count

import pytest

from outrider import message_id
from steward.ports.rows.answer import DialogueRow
from steward.ports.rows.calendar import TaskRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Writing
from steward.service.accepting import Accepting
from steward.service.jobs import write_job
from steward.service.messages import NOTIFY, PROMOTE, TRIGGERED
from steward.service.person import Defaults
from steward.service.preparing import PrepareSettings
from steward.service.trigger_request import parse_trigger
from steward.service.triggering import NewTrigger, create_trigger
from tests.integration.steward.dying import Deaths
from tests.integration.steward.everywhere import StageAnywhere
from tests.integration.steward.failing import Failing
from tests.integration.steward.parts import PERSON, Database
from tests.integration.steward.stage import ANNA, HOUR
from tests.integration.steward.test_dialogues import UNFINISHED
from tests.integration.steward.works import accept

pytestmark = pytest.mark.timeout(180)


async def accepted(stage: StageAnywhere) -> TriggerRow:
    """A new task's trigger, ready to be prepared."""
    task = await stage.task()
    await stage.scanner().scan_once()
    await stage.accept_all()
    return await stage.row(TriggerRow, target_id=task["task_id"])


async def test_task_and_job_commit_or_roll_back_together(staged: StageAnywhere, deaths: Deaths) -> None:
    """ST-4, ST-6: a transaction that fails after its task leaves neither; a process that dies between being asked for a task,
    an edit, its completion, the undoing of that and its deletion leaves each task with the job that it must have.
    """

    async def work(tx: Writing) -> None:
        row = TaskRow("tsk_1", PERSON, "Lab", 2, 60, tx.now, urgency_threshold_at=tx.now)
        await tx.insert(row)
        await write_job(tx, None, row, staged.chance)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await staged.storage.change(PERSON, work)
    assert not await staged.rows(TaskRow)
    assert not await staged.rows(JobRow)

    seen = Counter[str]()
    for step in deaths.of("task", "Lab report"):
        tasks, jobs = await staged.rows(TaskRow), await staged.rows(JobRow)
        assert {job.task_id for job in jobs} == {task.task_id for task in tasks}, step
        for task in tasks:
            own = [job for job in jobs if job.task_id == task.task_id]
            assert sorted(job.generation for job in own) == list(range(task.urgency_generation + 1)), step
            pending = [job.trigger_at for job in own if job.status == "pending"]
            assert pending == ([task.urgency_threshold_at] if task.status == "open" else []), step
        seen.update({task.status: 1 for task in tasks})
    assert {*seen} == {"open", "completed", "deleted"}
    assert seen["deleted"] == 1


async def test_dead_scanner_is_replaced_after_its_lease(staged: StageAnywhere, deaths: Deaths) -> None:
    """ST-8: wherever it died, nobody takes the job before its lease is over, then the heir does, and there is one trigger."""
    seen = Counter[str]()
    for step in count():
        task_id = (await staged.task())["task_id"]
        with deaths.at(step, "scan") as dies:
            pass
        job = await staged.row(JobRow, task_id=task_id)
        left = job.status if job.lease_owner is None else "held"
        early = await staged.scanner("heir").scan_once()
        assert early.codes == ({"triggered": 1} if left == "pending" else {}), step
        await staged.leases_over(JobRow)
        late = await staged.scanner("heir").scan_once()
        assert late.codes == ({"triggered": 1} if left == "held" else {}), step
        assert (await staged.row(JobRow, task_id=task_id)).status == "triggered"
        trigger, sent = await staged.row(TriggerRow, target_id=task_id), await staged.log.sent()
        assert [m.body["trigger_id"] for m in sent if m.type == TRIGGERED].count(trigger.trigger_id) == 1
        assert [m.body["task_ids"] for m in sent if m.type == PROMOTE].count([task_id]) == 1
        seen[left] += 1
        if not dies:
            break
    assert {*seen} == {"pending", "held", "triggered"}
    assert len(await staged.log.sent()) == 2 * seen.total()


async def test_trigger_never_exists_without_its_message(staged: StageAnywhere, deaths: Deaths) -> None:
    """ST-4, ST-19: both, or neither, where the transaction fails and wherever the process dies."""

    async def lost(tx: Writing) -> None:
        values = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": "tsk_b"}
        asked = parse_trigger(values, "api_trigger", ANNA, mock_allowed=False).asked
        await create_trigger(tx, NewTrigger(PERSON, asked, "cd" * 16), staged.chance)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await staged.storage.change(PERSON, lost)
    assert (await staged.rows(TriggerRow), await staged.log.sent()) == ([], [])

    task_id, seen = (await staged.task(urgency_threshold_at=None))["task_id"], Counter[int]()
    for step in deaths.of("trigger", task_id, "key-1"):
        rows, sent = await staged.rows(TriggerRow), await staged.log.sent()
        assert [message.body["trigger_id"] for message in sent] == [row.trigger_id for row in rows], step
        assert {(message.type, message.key) for message in sent} <= {(TRIGGERED, PERSON)}
        seen[len(rows)] += 1
    assert {*seen} == {0, 1}
    assert seen[0] > 5
    assert len(await staged.rows(TriggerRow)) == len(await staged.log.sent()) == 1


async def test_failed_preview_write_leaves_no_notification(
    staged: StageAnywhere, anywhere: Database, deaths: Deaths
) -> None:
    """ST-4, ST-22: preview, trigger and message go back together, where a write fails and wherever the process dies; the next
    try writes all of them.
    """
    failed = await accepted(staged)
    await replace(staged, storage=Failing(anywhere.storage, PreviewRow, "insert")).preparer().prepare_once()
    trigger = await staged.row(TriggerRow)
    assert (trigger.status, trigger.last_error_code, trigger.attempts) == ("failed", "unavailable", 1)
    assert not await staged.rows(PreviewRow)
    assert NOTIFY not in await staged.log.types()
    await staged.change(TriggerRow, {"trigger_id": failed.trigger_id}, {"next_try_at": failed.requested_at})

    seen = Counter[str]()
    for step in deaths.of("prepare"):
        trigger, previews = await staged.row(TriggerRow), await staged.rows(PreviewRow)
        told = [message.body["dedupe_key"] for message in await staged.log.sent() if message.type == NOTIFY]
        assert told == [preview.preview_id for preview in previews], step
        assert (trigger.status == "preview_generated") == (len(previews) == 1), step
        seen[trigger.status] += 1
        await staged.leases_over(TriggerRow)
    assert {*seen} == {"failed", "processing", "preview_generated"}
    assert (await staged.row(PreviewRow)).status == "ready"
    assert (await staged.log.types()).count(NOTIFY) == 1


async def test_killed_preparer_is_replaced_after_its_lease(staged: StageAnywhere, deaths: Deaths) -> None:
    """ST-21, ST-22: wherever it died, nobody takes the trigger before its lease is over, then the heir makes the one preview;
    and when none of its tries is left, the trigger is final.
    """
    seen = Counter[str]()
    for step in count():
        before = await accepted(staged)
        with deaths.at(step, "prepare") as dies:
            pass
        left = await staged.row(TriggerRow, trigger_id=before.trigger_id)
        state = "held" if left.lease_owner else left.status
        assert await staged.preparer("heir").prepare_once() == (state == "processing"), step
        await staged.leases_over(TriggerRow)
        assert await staged.preparer("heir").prepare_once() == (state == "held"), step
        after = await staged.row(TriggerRow, trigger_id=before.trigger_id)
        assert (after.status, after.attempts) == ("preview_generated", 2 if state == "held" else 1), step
        preview = await staged.row(PreviewRow, trigger_id=before.trigger_id)
        told = [message.body["dedupe_key"] for message in await staged.log.sent() if message.type == NOTIFY]
        assert told.count(preview.preview_id) == 1, step
        seen[state] += 1
        if not dies:
            break
    assert {*seen} == {"processing", "held", "preview_generated"}
    assert len(await staged.rows(PreviewRow)) == (await staged.log.types()).count(NOTIFY) == seen.total()

    lost = await accepted(staged)
    for _ in range(5):
        lease = PrepareSettings().lease
        assert len(await staged.storage.take(TriggerRow, ("processing", "failed"), "dead", lease, 4)) == 1
        assert await staged.preparer().prepare_once() == 0
        await staged.leases_over(TriggerRow)
    assert await staged.preparer().prepare_once() == 1
    trigger = await staged.row(TriggerRow, trigger_id=lost.trigger_id)
    assert (trigger.status, trigger.last_error_code, trigger.dedupe_slot) == ("failed", "preparer_lost", None)
    assert trigger.completed_at is not None


async def test_message_consumed_twice_has_one_effect(staged: StageAnywhere, deaths: Deaths) -> None:
    """ST-9, ST-21, ST-22: by the state that it finds, without a receipt's help; so, too, wherever the consumer died that had
    it first: the trigger is accepted and prepared once, the task promoted by one version.
    """
    handlers, seen = Accepting(defaults=Defaults(), wake=lambda: None), Counter[str]()
    for step in count():
        task_id = (await staged.task())["task_id"]
        await staged.scanner().scan_once()
        first, second = (await staged.log.sent())[-2:]
        before = await staged.row(TriggerRow, target_id=task_id)
        with deaths.at(step, "take_in", before.trigger_id) as dies:
            pass
        left = await staged.row(TriggerRow, trigger_id=before.trigger_id)
        for message in (first, second, first, second):
            await staged.handle(handlers, message)
        after = await staged.row(TriggerRow, trigger_id=before.trigger_id)
        assert (left.status == "pending" or after == left, after.status) == (True, "processing"), step
        assert await staged.preparer().prepare_once() == 1
        for message in (second, first):
            await staged.handle(handlers, message)
        assert await staged.preparer().prepare_once() == 0
        assert len(await staged.rows(PreviewRow, trigger_id=before.trigger_id)) == 1
        task = await staged.row(TaskRow, task_id=task_id)
        assert (task.priority_group, task.version) == (1, 2), step
        seen[left.status] += 1
        if not dies:
            break
    assert {*seen} == {"pending", "processing"}
    assert (await staged.log.types()).count(NOTIFY) == len(await staged.rows(PreviewRow)) == seen.total()


async def asked(stage: StageAnywhere) -> DialogueRow:
    """A dialogue that waits for an answer."""
    answer = await stage.feedback.create(ANNA, UNFINISHED)
    await stage.accept_all()
    assert await stage.preparer().prepare_once() == 1
    return await stage.row(DialogueRow, trigger_id=answer.body["trigger_id"])


async def test_crash_in_rerun_asks_again(staged: StageAnywhere, deaths: Deaths) -> None:
    """ST-10, ST-53: past its lease with a trigger that finally failed, the dialogue waits again, wherever the process died
    that took the reply and prepared; it is never left in between, and no reply has a trigger without its message.
    """
    task = await staged.task(urgency_threshold_at=None, title="Letters")
    await staged.block("evt_late", staged.clock.now() - 2 * HOUR, task["task_id"], title="Letters")
    seen = Counter[str]()
    staged.prepare_settings = replace(staged.prepare_settings, tries_max=1)
    for step in count():
        dialogue = await asked(staged)
        with deaths.at(step, "rerun", dialogue.dialogue_id, "evt_late") as dies:
            pass
        left = await staged.row(DialogueRow, dialogue_id=dialogue.dialogue_id)
        seen[await self_healed(staged, left)] += 1
        if not dies:
            break
    assert {*seen} == {"nothing happened", "prepared by another", "asked again", "prepared"}


async def self_healed(staged: StageAnywhere, left: DialogueRow) -> str:
    """What became of a dialogue whose process has died, once the others have done their part: never a rerun without end."""
    started = left.current_trigger_id != left.trigger_id
    name = message_id("steward", f"{TRIGGERED}:{left.current_trigger_id}")
    assert name in {message.message_id for message in await staged.log.sent()}
    assert (left.status == "waiting_user_reply") == (not started)
    if not started or left.status == "ready_preview":
        return "prepared" if started else "nothing happened"
    trigger = await staged.row(TriggerRow, trigger_id=left.current_trigger_id)
    await accept(staged, trigger)
    await staged.leases_over(TriggerRow)
    await staged.preparer("heir").prepare_once()
    await staged.leases_over(DialogueRow)
    repaired = await staged.reconciler.reconcile_once()
    after = await staged.row(DialogueRow, dialogue_id=left.dialogue_id)
    assert repaired["dialogue_asked_again"] == trigger.attempts
    if not trigger.attempts:
        assert after.status == "ready_preview"
        return "prepared by another"
    assert (after.status, after.lease_until) == ("waiting_user_reply", None)
    again = await staged.dialogues.reply(ANNA, left.dialogue_id, {"choice_id": "evt_late"})
    assert (again.body["status"], again.body["rounds"]) == ("rerunning", 2)
    await staged.accept_all()
    assert await staged.preparer("heir").prepare_once() == 1
    assert (await staged.row(DialogueRow, dialogue_id=left.dialogue_id)).status == "ready_preview"
    return "asked again"
