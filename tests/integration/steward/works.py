"""The pieces of work that processes die in, by name: each what one call, or one round of a service, does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from steward.ports.rows.answer import DialogueRow
from steward.ports.rows.suggestion import TriggerRow
from steward.ports.storage import Writing
from steward.service.accepting import Accepting
from steward.service.answer import Keyed
from steward.service.confirming import ApplySettings, Confirming
from steward.service.instants import instant_text
from steward.service.person import Defaults
from steward.service.preparing import PrepareSettings
from steward.service.undoing import Undoing
from tests.integration.steward.stage import ANNA, Stage, keyed
from tests.integration.steward.stories import CALLER

TRIES: Final = 1_000
"""So many that a process may die at each step without using them up."""
Work = Callable[..., Awaitable[object]]


async def confirm(stage: Stage, preview_id: str, candidate_id: str, base_version: str, key: str) -> None:
    """ST-43."""
    confirming = Confirming(
        storage=stage.storage, chance=stage.chance, defaults=stage.defaults, settings=ApplySettings()
    )
    await confirming.confirm(CALLER, preview_id, {"candidate_id": candidate_id}, if_match=base_version, key=key)


async def undo(stage: Stage, preview_id: str, key: str) -> None:
    """ST-49."""
    undoing = Undoing(storage=stage.storage, chance=stage.chance, defaults=stage.defaults, settings=ApplySettings())
    asked = Keyed(key, "POST", f"/api/v1/previews/{preview_id}/undo", {})
    await undoing.undo(CALLER, preview_id, keyed=asked)


async def task(stage: Stage, title: str) -> None:
    """ST-6: all that can happen to a task, each in a transaction of its own."""
    task_id = (await stage.task(title=title))["task_id"]
    later = instant_text(stage.clock.now() + timedelta(hours=1))
    await stage.tasks.edit(ANNA, task_id, {"urgency_threshold_at": later})
    await stage.tasks.complete(ANNA, task_id, {})
    await stage.tasks.undo_complete(ANNA, task_id)
    await stage.tasks.delete(ANNA, task_id)


async def trigger(stage: Stage, task_id: str, key: str) -> None:
    """ST-19."""
    values = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task_id}
    await stage.triggers.create(ANNA, values, keyed=keyed(key, values))


async def scan(stage: Stage) -> None:
    """ST-8."""
    await stage.scanner("dead").scan_once()


async def prepare(stage: Stage) -> None:
    """ST-21."""
    stage.prepare_settings = PrepareSettings(tries_max=TRIES)
    await stage.preparer("dead").prepare_once()


async def rerun(stage: Stage, dialogue_id: str, block_id: str) -> None:
    """ST-53: a reply, and its preparation, which has one try."""
    await stage.dialogues.reply(ANNA, dialogue_id, {"choice_id": block_id})
    dialogue = await stage.row(DialogueRow, dialogue_id=dialogue_id)
    asked = await stage.row(TriggerRow, trigger_id=dialogue.current_trigger_id)
    await accept(stage, asked)
    stage.prepare_settings = replace(stage.prepare_settings, tries_max=1)
    await stage.preparer("dead").prepare_once()


async def accept(stage: Stage, asked: TriggerRow) -> None:
    """What the consumer does with the message of this trigger."""
    names = ("trigger_id", "user_id", "trigger_type", "source", "target_type", "target_id", "feedback_id")
    body: dict[str, Any] = {name: getattr(asked, name) for name in names}
    accepting = Accepting(defaults=Defaults(), wake=lambda: None)

    async def work(tx: Writing) -> None:
        await accepting.triggered(tx, body)

    await stage.storage.change(asked.user_id, work)


async def take_in(stage: Stage, trigger_id: str) -> None:
    """ST-9, ST-21: what the consumer does with the two messages of a task that grew urgent."""
    asked = await stage.row(TriggerRow, trigger_id=trigger_id)
    await accept(stage, asked)
    body = {"user_id": asked.user_id, "task_ids": [asked.target_id]}
    accepting = Accepting(defaults=Defaults(), wake=lambda: None)

    async def work(tx: Writing) -> None:
        await accepting.promote(tx, body)

    await stage.storage.change(asked.user_id, work)


WORKS: Final[Mapping[str, Work]] = {
    work.__name__: work for work in (confirm, undo, task, trigger, scan, prepare, rerun, take_in)
}
