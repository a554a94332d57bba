"""Feedback, and the dialogue that asks which block was meant."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.ports.replies import ReplyRequest
from steward.ports.rows.answer import DialogueRow, FeedbackRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Storage
from steward.service.messages import NOTIFY
from steward.service.problems import DialogueNotWaiting
from steward.service.views.suggestions import choices_view
from tests.integration.steward.parts import NOON, Sent, SetChance
from tests.integration.steward.stage import ANNA, HOUR, RuleSelector, Stage, all_of, keyed

Messages = Callable[[], list[Sent]]
UNFINISHED = {"kind": "unfinished"}


@pytest.fixture
def stage(storage: Storage, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(storage, clock, chance)


async def prepared(stage: Stage, sent: Messages) -> None:
    await stage.accept(sent)
    await stage.preparer().prepare_once()


async def asked(stage: Stage, sent: Messages) -> DialogueRow:
    """A dialogue that waits, with three blocks to choose from: one ahead, two that have begun."""
    task = await stage.task(urgency_threshold_at=None, title="Read chapter 4")
    other = await stage.task(urgency_threshold_at=None, title="Letters")
    await stage.block("evt_old", NOON - 26 * HOUR, task["task_id"], title="Read chapter 4")
    await stage.block("evt_late", NOON - 2 * HOUR, other["task_id"], title="Letters")
    await stage.block("evt_ahead", NOON + 14 * HOUR, task["task_id"], title="Read chapter 4")
    await stage.feedback.create(ANNA, UNFINISHED)
    await prepared(stage, sent)
    return await stage.row(DialogueRow)


async def test_an_unfinished_block_gets_a_makeup(stage: Stage, sent: Messages) -> None:
    """ST-27, ST-50: feedback, trigger and message at once; as long as the person says."""
    task = await stage.task(urgency_threshold_at=None)
    await stage.block("evt_1", NOON - 2 * HOUR, task["task_id"])
    answer = await stage.feedback.create(ANNA, {**UNFINISHED, "event_id": "evt_1", "remaining_minutes": 30})
    feedback = await stage.row(FeedbackRow)
    assert (feedback.event_id, feedback.task_id) == ("evt_1", task["task_id"])
    assert answer.body["trigger_id"] == feedback.trigger_id
    await prepared(stage, sent)
    preview = await stage.row(PreviewRow)
    change = preview.candidates_json["items"][0]["changes"][0]
    assert (change["change_type"], change["duration_minutes"]) == ("create_makeup", 30)
    assert preview.issues_json[0]["code"] == "need_makeup_block"
    assert not await stage.rows(DialogueRow)


async def test_past_block_is_found(stage: Stage, sent: Messages) -> None:
    """ST-50, ST-52: a task means its last block that has begun; past blocks come first among the choices."""
    dialogue = await asked(stage, sent)
    choices = [choice["choice_id"] for choice in dialogue.state_json["choices"]]
    assert choices == ["evt_late", "evt_old", "evt_ahead"]
    task_id = (
        next(row.task_id for row in await stage.rows(FeedbackRow))
        or (await stage.tasks.list(ANNA))["items"][1]["task_id"]
    )
    await stage.feedback.create(ANNA, {**UNFINISHED, "task_id": task_id})
    assert (await stage.rows(FeedbackRow))[-1].event_id == "evt_old"


async def test_what_is_no_block_of_mine_is_refused(stage: Stage) -> None:
    """ST-50: an event is no block; another's, or none, is not found."""
    await stage.event("evt_lecture", NOON, NOON + HOUR)
    with pytest.raises(ValidationFailed):
        await stage.feedback.create(ANNA, {**UNFINISHED, "event_id": "evt_lecture"})
    with pytest.raises(NotFound):
        await stage.feedback.create(ANNA, {**UNFINISHED, "event_id": "evt_none"})
    task = await stage.task(urgency_threshold_at=None)
    with pytest.raises(ValidationFailed):
        await stage.feedback.create(ANNA, {**UNFINISHED, "task_id": task["task_id"]})
    assert not await stage.rows(FeedbackRow)
    assert not await stage.rows(TriggerRow)


async def test_an_unknown_block_is_asked_for(stage: Stage, sent: Messages) -> None:
    """ST-24, ST-51: a pending preview with 24 hours, a dialogue under an id that follows from the trigger, one message."""
    dialogue = await asked(stage, sent)
    preview = await stage.row(PreviewRow)
    assert (preview.status, preview.expires_at) == ("pending", NOON + timedelta(hours=24))
    assert preview.selected_candidate_id == "ask_user"
    assert (dialogue.status, dialogue.current_preview_id) == ("waiting_user_reply", preview.preview_id)
    assert dialogue.state_json["pending_question"] == "哪一项安排没有完成？"
    assert dialogue.state_json["missing_info"] == ["target"]
    assert len([message for message in sent() if message.type == NOTIFY]) == 1
    seen = await stage.dialogues.get(ANNA, dialogue.dialogue_id)
    assert (seen["status"], len(seen["choices"])) == ("waiting_user_reply", 3)
    with pytest.raises(NotFound):
        await stage.dialogues.get(replace(ANNA, user_id="usr_bob"), dialogue.dialogue_id)


async def test_a_reply_runs_it_again_and_the_dialogue_shows_the_preview(stage: Stage, sent: Messages) -> None:
    """ST-53: a trigger of its own for the round, the feedback filled, the question superseded by its answer."""
    dialogue = await asked(stage, sent)
    answer = await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"choice_id": "evt_late"}, keyed=keyed("k-1"))
    assert answer.body["status"] == "rerunning"
    feedback = await stage.row(FeedbackRow)
    assert feedback.event_id == "evt_late"
    first, second = await stage.rows(TriggerRow)
    assert (second.target_id, second.feedback_id, second.trace_id) == ("evt_late", first.feedback_id, first.trace_id)
    assert second.dedupe_slot == f"{first.dedupe_slot}:1"
    await prepared(stage, sent)
    dialogue = await stage.row(DialogueRow)
    question, preview = await stage.rows(PreviewRow)
    assert (dialogue.status, dialogue.current_preview_id) == ("ready_preview", preview.preview_id)
    assert (question.status, question.superseded_by) == ("superseded", preview.preview_id)
    assert preview.status == "ready"
    with pytest.raises(DialogueNotWaiting):
        await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"choice_id": "evt_late"})


async def test_a_newer_suggestion_ends_the_dialogue_that_it_overtakes(stage: Stage, sent: Messages) -> None:
    """ST-39, ST-53: what the dialogue showed is superseded, so nothing is left to say there."""
    dialogue = await asked(stage, sent)
    await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"choice_id": "evt_late"})
    await prepared(stage, sent)
    await stage.feedback.create(ANNA, {**UNFINISHED, "event_id": "evt_late"})
    await prepared(stage, sent)
    assert [row.status for row in await stage.rows(PreviewRow)] == ["superseded", "superseded", "ready"]
    assert (await stage.row(DialogueRow)).status == "expired"


async def test_two_replies_one_rerun(stage: Stage, sent: Messages) -> None:
    """ST-53: the compare-and-set lets one through, the other is told the state."""
    dialogue = await asked(stage, sent)

    async def reply(name: str) -> object:
        try:
            return await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"choice_id": name})
        except DialogueNotWaiting as refused:
            return refused.status

    answers = await all_of(reply("evt_late"), reply("evt_old"))
    assert answers.count("rerunning") == 1
    assert len(await stage.rows(TriggerRow)) == 2


UNSURE = ["the one about reading", "Read chapter 4", "evt_none", "chapter"]


@pytest.mark.parametrize("said", UNSURE)
async def test_never_guesses(stage: Stage, sent: Messages, said: str) -> None:
    """ST-52, ST-53: a title that two blocks have, words that are none: asked again, and after three rounds given up."""
    dialogue = await asked(stage, sent)
    for rounds in (1, 2):
        answer = await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"text": said})
        assert (answer.body["status"], answer.body["rounds"]) == ("waiting_user_reply", rounds)
        assert answer.body["question"]
    answer = await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"text": said})
    assert (answer.body["status"], answer.body["failed_reason"]) == ("failed", "question_given_up")
    assert (await stage.row(PreviewRow)).status == "failed"
    assert len(await stage.rows(TriggerRow)) == 1
    assert len([message for message in sent() if message.type == NOTIFY]) == 1


@pytest.mark.parametrize("said", ["letters", "it was Letters I think", "evt_late"])
async def test_a_title_that_one_block_has_is_enough(stage: Stage, sent: Messages, said: str) -> None:
    """ST-52."""
    dialogue = await asked(stage, sent)
    answer = await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"text": said})
    assert answer.body["status"] == "rerunning"
    assert (await stage.rows(TriggerRow))[-1].target_id == "evt_late"


class Reader:
    """Reads every reply as this block, and lets others write meanwhile."""

    def __init__(self, stage: Stage, named: str | None) -> None:
        self.asked: list[ReplyRequest] = []
        self._stage, self._named = stage, named

    async def read(self, request: ReplyRequest) -> str | None:
        self.asked.append(request)
        await self._stage.task(urgency_threshold_at=None, title=f"Another {len(self.asked)}")
        return self._named


async def test_words_that_no_title_settles_are_read_by_the_model(stage: Stage, sent: Messages) -> None:
    """ST-3, ST-52: asked with the listed blocks while no transaction is open; what it names is prepared."""
    dialogue = await asked(stage, sent)
    reader = stage.replies = Reader(stage, "evt_old")
    answer = await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"text": "what I read yesterday"})
    assert answer.body["status"] == "rerunning"
    assert (await stage.rows(TriggerRow))[-1].target_id == "evt_old"
    [request] = reader.asked
    assert [choice.choice_id for choice in request.choices] == ["evt_late", "evt_old", "evt_ahead"]
    assert (request.text, request.now, request.profile.user_id) == ("what I read yesterday", NOON, ANNA.user_id)


@pytest.mark.parametrize("said", [{"text": "letters"}, {"choice_id": "evt_none"}, {"choice_id": "evt_old"}])
async def test_the_model_is_asked_of_nothing_else(stage: Stage, sent: Messages, said: dict[str, str]) -> None:
    """ST-52: not where an id or a title says enough, and an id is no words."""
    dialogue = await asked(stage, sent)
    reader = stage.replies = Reader(stage, "evt_ahead")
    await stage.dialogues.reply(ANNA, dialogue.dialogue_id, said)
    assert not reader.asked


@pytest.mark.parametrize("named", [None, "evt_lecture", "evt_none"])
async def test_what_the_model_does_not_know_is_asked_again(stage: Stage, sent: Messages, named: str | None) -> None:
    """ST-52, ST-54: it may only name a listed block; a repeat under the same key asks it nothing."""
    dialogue = await asked(stage, sent)
    await stage.event("evt_lecture", NOON, NOON + HOUR)
    reader = stage.replies = Reader(stage, named)
    for _ in range(2):
        answer = await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"text": "hm"}, keyed=keyed("k-1"))
        assert (answer.body["status"], answer.body["rounds"]) == ("waiting_user_reply", 1)
    assert len(reader.asked) == 1
    assert len(await stage.rows(TriggerRow)) == 1


class BrokenSelector(RuleSelector):
    async def select(self, request: Any) -> Any:  # noqa: ANN401  never answered
        raise ArithmeticError(type(request))


async def test_a_rerun_that_fails_in_the_end_asks_again(stage: Stage, sent: Messages) -> None:
    """ST-10, ST-53: past its lease with a trigger that finally failed, the dialogue waits again."""
    dialogue = await asked(stage, sent)
    await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"choice_id": "evt_late"})
    stage.clock.advance(timedelta(seconds=121))
    assert (await stage.reconciler.reconcile_once())["dialogue_asked_again"] == 0
    await stage.accept(sent)
    stage.selector = BrokenSelector()
    for _ in range(5):
        await stage.preparer().prepare_once()
        stage.clock.advance(timedelta(minutes=5))
    assert (await stage.reconciler.reconcile_once())["dialogue_asked_again"] == 1
    waiting = await stage.row(DialogueRow)
    assert (waiting.status, waiting.lease_until) == ("waiting_user_reply", None)
    again = await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"choice_id": "evt_late"})
    assert (again.body["status"], again.body["rounds"]) == ("rerunning", 2)


async def test_a_question_that_nobody_answers_expires(stage: Stage, sent: Messages) -> None:
    """ST-41, ST-53: preview and dialogue after 24 hours, without a further message."""
    dialogue = await asked(stage, sent)
    stage.clock.advance(timedelta(hours=24))
    with pytest.raises(DialogueNotWaiting):
        await stage.dialogues.reply(ANNA, dialogue.dialogue_id, {"choice_id": "evt_late"})
    assert (await stage.reconciler.reconcile_once())["preview_expired"] == 1
    assert (await stage.row(PreviewRow)).status == "expired"
    assert (await stage.row(DialogueRow)).status == "expired"
    assert len([message for message in sent() if message.type == NOTIFY]) == 1


def test_choices_are_shown_with_their_times() -> None:
    """ST-52: by the block's id."""
    from tests.unit.steward.builders import event  # noqa: PLC0415

    assert choices_view([event(event_id="evt_1", title="Gym", start_at=NOON)])[0]["choice_id"] == "evt_1"
