"""Base version, edited changes, what an apply writes and what undoes it: ST-27, ST-40, ST-43, ST-49."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider import canonical_json
from steward.domain.applying import UNDO_WINDOW, Undo, Writes, decide_apply, decide_undo, undo_of
from steward.domain.base_version import base_parts, base_version, differences
from steward.domain.candidate import Candidate
from steward.domain.changes import calendar_of
from steward.domain.checker import Calendar
from steward.domain.context import Target, makeup_target
from steward.domain.edits import Edit, Edited, edited_changes
from steward.domain.errors import (
    InvalidEditedChanges,
    SlotConflict,
    StewardError,
    TargetAlreadyScheduled,
    TargetCompleted,
    UndoNotPossible,
    UnsupportedChangeType,
)
from steward.domain.event import Event
from steward.domain.grid import Grid
from steward.domain.span import moment_of, seconds
from steward.domain.task import Task
from tests.unit.steward.builders import task
from tests.unit.steward.days import DEMO, NOW, ZONE, at, context, flexible, offered

WHERE = context(DEMO)
MOVE, COMPRESS, LATE, KEEP = offered(WHERE)
ADDED, MOVED = (change.change_id for change in MOVE.changes)
LAB = task(deadline_at=at(18), earliest_start_at=at(9))


def target_of() -> Target:
    assert WHERE.target is not None
    return WHERE.target


def now_calendar(events: list[Event] | None = None) -> Calendar:
    return replace(calendar_of(WHERE, seconds(NOW)), events=DEMO if events is None else events)


def edited(candidate: Candidate, *edits: Edit) -> Edited:
    return edited_changes(candidate, edits, Grid(), ZONE)


def version(events: list[Event], lab: Task | None = LAB, profile: int = 1, candidate: Candidate = MOVE) -> str:
    return base_version(base_parts(candidate.changes, events, lab, profile, 0), canonical_json)


def with_event(number: int, **fields: Any) -> list[Event]:  # noqa: ANN401  any field
    return [replace(one, **fields) if place == number else one for place, one in enumerate(DEMO)]


def test_a_base_version_is_a_hash_under_its_own_version() -> None:
    """ST-40: the same for the same calendar, whatever the order of its rows."""
    assert version(DEMO).startswith("v1:sha256:")
    assert len(version(DEMO)) == len("v1:sha256:") + 64
    assert version(DEMO) == version(DEMO[::-1])
    parts = base_parts(MOVE.changes, DEMO, LAB, 1, 0)
    assert parts["windows"] == [[at(10.5), at(12)], [at(19), at(20.5)]]
    assert [row[0] for row in parts["busy"]] == ["Read chapter 4"]
    buffered = base_parts(MOVE.changes, DEMO, LAB, 1, 15)
    assert buffered["windows"][0] == [at(10.25), at(12.25)]
    assert [row[0] for row in buffered["busy"]] == ["Read chapter 4", "lecture"]
    assert base_parts((), DEMO, LAB, 1, 0)["windows"] == []


SPOILED: dict[str, Callable[[], str]] = {
    "the moved block moved": lambda: version(with_event(2, start_at=at(10.75))),
    "it was pinned": lambda: version(with_event(2, mobility="pinned")),
    "it is gone": lambda: version(with_event(2, status="cancelled")),
    "something stands at its new place": lambda: version([*DEMO, flexible("new", 20, 21)]),
    "the task is done": lambda: version(DEMO, replace(LAB, status="completed")),
    "the deadline moved": lambda: version(DEMO, replace(LAB, deadline_at=at(17))),
    "the task is gone": lambda: version(DEMO, None),
    "the settings changed": lambda: version(DEMO, profile=2),
    "another candidate": lambda: version(DEMO, candidate=LATE),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_could_spoil_a_candidate_changes_its_base(name: str) -> None:
    """ST-40: places, busy events, task and profile."""
    assert SPOILED[name]() != version(DEMO)


def test_unrelated_edit_does_not_spoil_the_base() -> None:
    """ST-40: a title, another day's event, a place nearby that is not touched."""
    assert version(with_event(2, title="Read chapter 5", version=2)) == version(DEMO)
    assert version([*DEMO, flexible("tomorrow", 9, 10, day=1)]) == version(DEMO)
    assert version(with_event(4, start_at=at(15.25))) == version(DEMO)
    assert version(DEMO, replace(LAB, title="Lab", note="x", version=7)) == version(DEMO)


def test_what_changed_is_said() -> None:
    """ST-43: a refusal lists it."""
    seen = base_parts(MOVE.changes, DEMO, LAB, 1, 0)
    now = base_parts(MOVE.changes, [*with_event(2, start_at=at(10.75)), flexible("new", 20, 21)], None, 2, 0)
    assert differences(seen, now) == ("event Read chapter 4", "event new", "task", "profile")
    assert differences(seen, seen) == ()


def edit(change_id: str, start: float, end: float) -> Edit:
    return Edit(change_id, at(start), at(end))


def test_what_is_not_named_stays_as_proposed() -> None:
    """ST-43, step 6: and equal times are no edit."""
    assert edited(MOVE).changes == MOVE.changes
    assert edited(MOVE, edit(ADDED, 10.5, 12)).changes == MOVE.changes
    moved = edited(MOVE, edit(MOVED, 19.25, 20.75))
    assert [change.after.start for change in moved.changes] == [seconds(at(10.5)), seconds(at(19.25))]
    shorter = edited(MOVE, edit(ADDED, 10.5, 11.5), edit(MOVED, 19, 20))
    assert [change.duration_minutes for change in shorter.changes] == [60, 60]
    assert shorter.resized == {"Read chapter 4"}
    assert edited(MOVE, Edit(MOVED, drop=True)).dropped == MOVE.changes[1:]


LOCKED = replace(MOVE, changes=tuple(replace(change, edited_allowed=False) for change in MOVE.changes))
REFUSED: list[tuple[str, Candidate, list[Edit], type[StewardError]]] = [
    ("unknown change", MOVE, [edit("chg_9", 9, 10)], InvalidEditedChanges),
    ("another candidate's change", MOVE, [edit(COMPRESS.changes[0].change_id, 9, 10)], InvalidEditedChanges),
    ("named twice", MOVE, [edit(ADDED, 10.5, 12), edit(ADDED, 10.5, 12)], InvalidEditedChanges),
    ("neither times nor drop", MOVE, [Edit(ADDED)], InvalidEditedChanges),
    ("one time", MOVE, [Edit(ADDED, start_at=at(9))], InvalidEditedChanges),
    ("times and drop", MOVE, [Edit(ADDED, at(9), at(10), drop=True)], InvalidEditedChanges),
    ("ends before it starts", MOVE, [edit(ADDED, 12, 10)], InvalidEditedChanges),
    ("off the step", MOVE, [Edit(ADDED, at(10.5), at(11) + timedelta(minutes=5))], InvalidEditedChanges),
    ("parts of a second", MOVE, [Edit(ADDED, at(10.5) + timedelta(microseconds=1), at(12))], InvalidEditedChanges),
    ("too long", MOVE, [edit(ADDED, 9, 18)], InvalidEditedChanges),
    ("may not be edited", LOCKED, [edit(ADDED, 10.5, 11.5)], InvalidEditedChanges),
    ("all dropped", MOVE, [Edit(ADDED, drop=True), Edit(MOVED, drop=True)], InvalidEditedChanges),
    ("too many", MOVE, [edit(ADDED, 10.5, 12)] * 21, InvalidEditedChanges),
    ("nothing to confirm", KEEP, [], UnsupportedChangeType),
]


@pytest.mark.parametrize(("candidate", "edits", "error"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_edited_changes_table(candidate: Candidate, edits: list[Edit], error: type[StewardError]) -> None:
    """ST-43, steps 5 and 6: each breach has its code."""
    with pytest.raises(error):
        edited(candidate, *edits)
    assert edited(LOCKED, edit(ADDED, 10.5, 12)).changes == LOCKED.changes, "equal times are taken"


def test_an_apply_writes_what_was_shown() -> None:
    """ST-43, step 9: a flexible block for the task, and the moved one under the version that was seen."""
    writes = decide_apply(target_of(), edited(MOVE), now_calendar(), late=False)
    block, shift = writes.blocks[0], writes.shifts[0]
    assert (block.title, block.task_id, block.task_source_type) == ("Lab report", "tsk_1", "task_pool")
    assert (block.place.start, block.place.end) == (seconds(at(10.5)), seconds(at(12)))
    assert (shift.event_id, shift.version, shift.after.start) == ("Read chapter 4", 1, seconds(at(19)))


def test_a_makeup_carries_its_block_over() -> None:
    """ST-27: task, source type and the unfinished block."""
    old = flexible("old", 9, 10, day=-1, task_source_type="task_item")
    target = makeup_target(old, None, 60)
    where = context([old], target=target, trigger_type="unfinished_feedback")
    chosen = edited_changes(offered(where)[0], [], Grid(), ZONE)
    writes = decide_apply(target, chosen, calendar_of(where, seconds(NOW)), late=False)
    block = writes.blocks[0]
    assert (block.task_id, block.task_source_type, block.makeup_for_event_id) == ("tsk_old", "task_item", "old")
    with pytest.raises(TargetAlreadyScheduled):
        decide_apply(target, chosen, calendar_of(where, seconds(NOW)), late=False, makeup_exists=True)


def test_drop_that_leaves_a_conflict_is_refused() -> None:
    """ST-43, step 8: the checker on the day after, also with edited places."""
    for candidate, edits in (
        (MOVE, [Edit(MOVED, drop=True)]),
        (COMPRESS, [Edit(COMPRESS.changes[1].change_id, drop=True)]),
        (MOVE, [edit(MOVED, 16, 17.5)]),
        (MOVE, [edit(ADDED, 12, 13)]),
    ):
        with pytest.raises(SlotConflict) as refused:
            decide_apply(target_of(), edited(candidate, *edits), now_calendar(), late=False)
        assert refused.value.conflicts
    dropped = edited(MOVE, Edit(ADDED, drop=True))
    assert decide_apply(target_of(), dropped, now_calendar(), late=False).blocks == ()


def test_a_target_that_needs_nothing_any_more_is_refused() -> None:
    """ST-43, step 8: done, or placed meanwhile."""
    done = replace(target_of(), task=replace(LAB, status="completed"))
    with pytest.raises(TargetCompleted):
        decide_apply(done, edited(MOVE), now_calendar(), late=False)
    with pytest.raises(TargetAlreadyScheduled):
        decide_apply(replace(target_of(), minutes=0), edited(MOVE), now_calendar(), late=False)


def applied(candidate: Candidate) -> tuple[Undo, list[Event], Writes]:
    """The undo, and the calendar as apply left it."""
    writes = decide_apply(target_of(), edited(candidate), now_calendar(), late=candidate.method == "late")
    ids = {block.change_id: f"evt_new{number}" for number, block in enumerate(writes.blocks)}
    places = {shift.event_id: shift.after for shift in writes.shifts}
    events = [
        replace(
            one, start_at=moment_of(places[one.event_id].start), end_at=moment_of(places[one.event_id].end), version=2
        )
        if one.event_id in places
        else one
        for one in DEMO
    ]
    for block in writes.blocks:
        added = flexible(ids[block.change_id], 9, 10, task_id="tsk_1")
        events.append(replace(added, start_at=moment_of(block.place.start), end_at=moment_of(block.place.end)))
    return undo_of(writes, ids), events, writes


@pytest.mark.parametrize("candidate", [MOVE, COMPRESS, LATE], ids=lambda one: one.method)
def test_undo_takes_back_every_row(candidate: Candidate) -> None:
    """ST-49: what was added is cancelled, what was changed gets its old place."""
    undo, events, _ = applied(candidate)
    taken = decide_undo(undo, now_calendar(events), NOW + UNDO_WINDOW, NOW + timedelta(minutes=5))
    by_id = {one.event_id: one for one in DEMO}
    for name, before, after in taken.rows:
        assert (before is None) == (name not in by_id)
        if before is not None:
            assert before == by_id[name].span
            assert after != before


OBSTACLES: dict[str, tuple[Callable[[list[Event]], list[Event]], datetime, str]] = {
    "too late": (lambda events: events, NOW + timedelta(hours=25), "time to undo"),
    "begun": (lambda events: events, at(10.5) + timedelta(seconds=1), "has begun"),
    "moved since": (
        lambda events: [replace(one, end_at=at(21)) if one.event_id == "Read chapter 4" else one for one in events],
        NOW,
        "changed since",
    ),
    "cancelled since": (
        lambda events: [replace(one, status="cancelled") if one.event_id == "evt_new0" else one for one in events],
        NOW,
        "changed since",
    ),
    "gone": (lambda events: [one for one in events if one.event_id != "evt_new0"], NOW, "changed since"),
    "old place taken": (
        lambda events: [*events, replace(DEMO[0], event_id="x", start_at=at(11), end_at=at(12))],
        NOW,
        "too near",
    ),
    "pinned since": (
        lambda events: [replace(one, mobility="pinned") if one.event_id == "Read chapter 4" else one for one in events],
        NOW,
        "pinned",
    ),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_undo_is_refused_after_a_later_edit(name: str) -> None:
    """ST-49: each obstacle is named."""
    undo, events, _ = applied(MOVE)
    changed, now, reason = OBSTACLES[name]
    with pytest.raises(UndoNotPossible, match=reason):
        decide_undo(undo, now_calendar(changed(events)), NOW + UNDO_WINDOW, now)


@given(st.integers(36, 84), st.integers(1, 12), st.integers(36, 84), st.booleans(), st.booleans())
def test_whatever_is_edited_nothing_overlaps_afterwards(
    start: int, length: int, other: int, drop: bool, both: bool
) -> None:
    """ST-43: an edited apply breaks no hard constraint, or is refused with its reason."""
    edits = [edit(ADDED, start / 4, (start + length) / 4)]
    if drop:
        edits.append(Edit(MOVED, drop=True))
    elif both:
        edits.append(edit(MOVED, other / 4, other / 4 + 1.5))
    try:
        writes = decide_apply(target_of(), edited(MOVE, *edits), now_calendar(), late=False)
    except (SlotConflict, InvalidEditedChanges):
        return
    moved = {shift.event_id: shift.after for shift in writes.shifts}
    spans = [moved.get(one.event_id, one.span) for one in DEMO] + [block.place for block in writes.blocks]
    assert not [(one, two) for number, one in enumerate(spans) for two in spans[number + 1 :] if one.overlaps(two)]
