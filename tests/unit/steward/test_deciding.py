"""Small decisions around triggers and dialogues."""

from datetime import timedelta
from typing import Any

import pytest

from steward.domain.choices import Choice, choices_of, resolve
from steward.domain.errors import ValidationFailed
from steward.domain.job import AddJob
from steward.domain.resuggesting import Resuggestion, decide_resuggestion
from steward.domain.span import Span
from steward.domain.triggering import Asked, check_asked, dedupe_key, dedupe_until
from steward.domain.trying import next_try
from tests.unit.steward.builders import NOON, event, task

HOUR = timedelta(hours=1)
URGENT: dict[str, Any] = {"urgency_threshold_at": NOON - HOUR}
USUAL = Resuggestion()
TASK = Asked("important_urgent_task", "api_trigger", "task_pool", "tsk_1")
BLOCK = Asked("unfinished_feedback", "user_feedback", "schedule_event", None)


def test_keys_of_triggers() -> None:
    """ST-20: by target, or by feedback; mock time has its own; a long part gives way to its hash."""
    assert dedupe_key("usr_1", TASK) == "usr_1:important_urgent_task:task_pool:tsk_1"
    assert dedupe_key("usr_1", BLOCK, feedback_id="fbk_1:2") == "usr_1:unfinished_feedback:fbk_1:2"
    assert dedupe_key("usr_1", BLOCK, idempotency_key="k") == "usr_1:unfinished_feedback:k"
    mocked = Asked("important_urgent_task", "api_trigger", "task_item", "tsk_1", NOON, is_mock_time=True)
    assert dedupe_key("usr_1", mocked) == "mock:usr_1:important_urgent_task:task_item:tsk_1"
    longest = dedupe_key("u" * 64, BLOCK, feedback_id="f" * 128)
    assert len(longest) == 64 + 1 + len("unfinished_feedback") + 1 + 64 <= 191


def test_windows_of_triggers() -> None:
    """ST-20: rolling from the request, on the clock that counts; feedback's has no end."""
    assert dedupe_until(TASK, NOON) == NOON + timedelta(minutes=30)
    assert dedupe_until(BLOCK, NOON) is None
    mocked = Asked("important_urgent_task", "api_trigger", "task_pool", "tsk_1", NOON + HOUR, is_mock_time=True)
    assert dedupe_until(mocked, NOON) == NOON + HOUR + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Asked("important_urgent_task", "worker_due_job", "task_pool", "tsk_1", NOON, is_mock_time=True), "mock_now"),
        (Asked("important_urgent_task", "api_trigger", "task_pool", "tsk_1", NOON), "is_mock_time"),
        (Asked("important_urgent_task", "api_dry_run", "task_pool", "tsk_1"), "source"),
        (Asked("important_urgent_task", "api_trigger", "task_pool", None), "target_id"),
        (Asked("important_urgent_task", "api_trigger", "schedule_event", "evt_1"), "target_type"),
        (Asked("important_urgent_task", "nobody", "task_pool", "tsk_1"), "source"),
    ],
)
def test_what_no_trigger_can_be(asked: Asked, field: str) -> None:
    """ST-18: named by the field; a dry run may be what no stored trigger is."""
    with pytest.raises(ValidationFailed) as refused:
        check_asked(asked, stored=True)
    assert refused.value.field == field
    if asked.source == "api_dry_run":
        check_asked(asked, stored=False)


def test_rounds_of_a_task() -> None:
    """ST-11: generation and round rise, two hours later, twice."""
    first = decide_resuggestion(task(**URGENT), (), 4, 0, NOON, USUAL)
    assert first == AddJob(5, NOON + 2 * HOUR, 1)
    assert decide_resuggestion(task(**URGENT), (), 5, 1, NOON, USUAL) == AddJob(6, NOON + 2 * HOUR, 2)
    assert decide_resuggestion(task(**URGENT), (), 6, 2, NOON, USUAL) is None


@pytest.mark.parametrize(
    "fields",
    [
        {**URGENT, "status": "completed"},
        {"urgency_threshold_at": None},
        {**URGENT, "priority_group": 3},
        {**URGENT, "deadline_at": NOON},
    ],
)
def test_what_does_not_come_up_again(fields: dict[str, Any]) -> None:
    """ST-11: closed, without a threshold, unimportant, or late."""
    assert decide_resuggestion(task(**fields), (), 0, 0, NOON, USUAL) is None


def test_a_scheduled_task_does_not_come_up_again() -> None:
    """ST-11."""
    block = event(task_id="tsk_1", start_at=NOON + HOUR, end_at=NOON + 3 * HOUR)
    assert decide_resuggestion(task(**URGENT), [block], 0, 0, NOON, USUAL) is None


def test_tries_wait_longer_and_end() -> None:
    """ST-22: 5 s doubling up to 5 min, of which chance takes its share; five in all."""
    waits = [next_try(number, NOON, 1.0) for number in range(1, 6)]
    assert waits == [*(NOON + timedelta(seconds=5 * 2**number) for number in range(4)), None]
    assert next_try(1, NOON, 0.0) == NOON
    assert next_try(9, NOON, 1.0, tries_max=20) == NOON + timedelta(minutes=5)


def test_choices_are_the_blocks_near_now() -> None:
    """ST-52: those that have begun first, the newest first, ten at most; no other event."""
    blocks = [event(event_id=f"evt_{hour:03}", task_id="tsk_1", start_at=NOON + hour * HOUR) for hour in range(-80, 30)]
    chosen = choices_of([*blocks, event(event_id="lecture", start_at=NOON - HOUR)], NOON)
    assert [one.start_at for one in chosen] == [NOON - number * HOUR for number in range(10)]
    few = choices_of([blocks[2], blocks[90], blocks[75]], NOON)
    assert [one.start_at - NOON for one in few] == [-5 * HOUR, 10 * HOUR]


CHOICES = [
    Choice(f"evt_{number}", title, Span(0, 60))
    for number, title in enumerate(["Read chapter 4", "Letters", "Read chapter 4", "写信", "C++"], 1)
]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("evt_3", "evt_3"),
        (" letters ", "evt_2"),
        ("I mean the LETTERS one", "evt_2"),
        ("Read chapter 4", None),
        ("etters", None),
        ("letters and read chapter 4", None),
        ("It was letters.", "evt_2"),
        ("loveletters", None),
        ("我说的是写信那一项", "evt_4"),
        ("the c++ one", "evt_5"),
        ("", None),
        ("evt_9", None),
    ],
)
def test_replies_name_one_choice_or_none(said: str, meant: str | None) -> None:
    """ST-52: an id, or a title that only one has."""
    assert resolve(said, CHOICES) == meant
