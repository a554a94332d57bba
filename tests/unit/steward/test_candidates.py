"""Candidates: each method's example, what is always offered, and what never moves: ST-24 to ST-33."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steward.domain.candidate import Candidate
from steward.domain.changes import calendar_of, placings
from steward.domain.checker import conflicts
from steward.domain.context import makeup_target, within_events_max
from steward.domain.event import Event
from steward.domain.grid import Grid, semester12
from steward.domain.methods import Ways
from steward.domain.observation import decide, observe
from steward.domain.offer import offer
from tests.unit.steward.builders import task
from tests.unit.steward.days import DEMO, MONDAY, NOW, ZONE, at, busy, by_method, context, flexible, offered, outcome


def shown(candidate: Candidate) -> list[str]:
    """Each change in a word: what, and from when to when it is."""
    found = []
    for change in candidate.changes:
        times = [datetime.fromtimestamp(second, ZONE) for second in change.after]
        found.append(f"{change.event_id or 'new'} {times[0]:%a %H:%M}-{times[1]:%H:%M}")
    return found


def test_the_day_of_the_demo() -> None:
    """ST-69, line 8, after ST-29 and ST-32: moved, halved or late, in this order."""
    observed, found, decision = outcome(context(DEMO))
    assert observed.primary is not None
    assert observed.primary.code == "no_free_slot"
    assert [candidate.method for candidate in found.candidates] == ["move_one", "compress", "late", "none"]
    assert shown(found.candidates[0]) == ["new Mon 10:30-12:00", "Read chapter 4 Mon 19:00-20:30"]
    assert shown(found.candidates[1]) == ["new Mon 10:30-11:15", "Read chapter 4 Mon 11:15-12:00"]
    assert shown(found.candidates[2]) == ["new Mon 19:00-20:30"]
    costs = [candidate.cost[:2] for candidate in found.candidates if candidate.cost is not None]
    assert costs == [(0, 0), (0, 90), (150, 0)]
    assert found.candidates[0].notification_summary == (
        "Lab report fits Mon 23 Nov 10:30-12:00 if Read chapter 4 moves to 19:00"
    )
    assert (decision.action, decision.fallback_candidate_id) == ("select_candidate", "move_one:202611230230")


def test_what_lasts_all_day_and_takes_no_room_is_not_drawn() -> None:
    """ST-33: before and after are what stands in the day; `Term begins` would stand beside all of it."""
    dates: dict[str, Any] = {"start_date": MONDAY.date(), "end_date": MONDAY.date() + timedelta(days=1)}
    for takes_room, drawn in ((False, False), (True, True)):
        holiday = busy("holiday", 20.5, 21, busy=takes_room, **dates)
        (first, *_) = offered(context([*DEMO, holiday]))
        assert ("holiday" in {entry.entry_id for entry in first.before}) is drawn
        assert ("holiday" in {entry.entry_id for entry in first.after}) is drawn


def full(start: float, end: float, day: int = 0) -> Event:
    return busy(f"full {day} {start}", start, end, day)


EXAMPLES: dict[str, tuple[list[Event], dict[str, Any], list[str]]] = {
    "free_slot": ([busy("lecture", 9, 12)], {}, ["new Mon 13:00-14:30"]),
    "move_one": ([full(10, 12), full(13, 18), flexible("a", 9, 10), full(19, 20)], {"duration_minutes": 60},
                 ["new Mon 09:00-10:00", "a Mon 20:00-21:00"]),
    "move_many": ([full(10.5, 12), full(13, 18), flexible("a", 9, 9.75), flexible("b", 9.75, 10.5)], {},
                  ["new Mon 09:00-10:30", "a Mon 19:00-19:45", "b Mon 19:45-20:30"]),
    "split": ([full(10, 12), full(13, 17.5)], {"splittable": True}, ["new Mon 09:00-10:00", "new Mon 17:30-18:00"]),
    "shorten": ([full(10, 12), full(13, 18)], {}, ["new Mon 09:00-10:00"]),
    "late": ([full(9, 12), full(13, 18)], {}, ["new Mon 19:00-20:30"]),
    "compress": ([full(10, 12), full(13, 18), flexible("a", 9, 10)], {},
                 ["new Mon 09:00-09:30", "a Mon 09:30-10:00"]),
}  # fmt: skip


@pytest.mark.parametrize("method", EXAMPLES)
def test_each_method_has_its_example(method: str) -> None:
    """ST-29 and ST-32: what each way of placing the target looks like."""
    events, fields, expected = EXAMPLES[method]
    lab = task(**{"deadline_at": at(18), "earliest_start_at": at(9)} | fields)
    candidate = by_method(offered(context(events, lab)), method)
    assert sorted(shown(candidate)) == sorted(expected)
    assert candidate.before != candidate.after
    start = datetime.fromtimestamp(candidate.changes[0].after.start, UTC)
    assert candidate.candidate_id == f"{method}:{start:%Y%m%d%H%M}"
    assert candidate.valid_until == min(
        datetime.fromtimestamp(change.after.start, ZONE) for change in candidate.changes
    )


def test_two_free_places_start_an_hour_apart() -> None:
    """ST-32: free_slot gives up to two."""
    found = [candidate for candidate in offered(context([])) if candidate.method == "free_slot"]
    assert [shown(candidate) for candidate in found] == [["new Mon 09:00-10:30"], ["new Mon 10:00-11:30"]]
    assert [candidate.score for candidate in found] == [100, 95]


def test_one_move_is_offered_beside_a_free_place_if_it_starts_four_hours_sooner() -> None:
    """ST-32: not for less."""
    day = [flexible("a", 9, 10.5), full(10.5, 12), full(13, 14.5), full(16, 18)]
    assert shown(by_method(offered(context(day)), "move_one"))[0] == "new Mon 09:00-10:30"
    nearer = [full(9, 10.5), flexible("a", 10.5, 12), full(14.5, 18)]
    assert "move_one" not in [candidate.method for candidate in offered(context(nearer))]


def test_a_task_that_may_not_be_late_is_never_offered_late() -> None:
    """ST-32: late is left out where allow_late is false; the person is told all the same."""
    lab = task(deadline_at=at(18), earliest_start_at=at(9), allow_late=False)
    _, found, decision = outcome(context([full(9, 12), full(13, 18)], lab))
    assert [candidate.method for candidate in found.candidates] == ["none"]
    assert (decision.action, decision.should_notify, decision.llm_selection_required) == ("notify_only", True, False)


def test_a_second_makeup_of_a_block_is_not_offered() -> None:
    """ST-27: the unfinished block has one already."""
    block = flexible("a", 9, 10, day=-1)
    where = context([block], target=makeup_target(block, None, 60), trigger_type="unfinished_feedback")
    assert where.target is not None
    ways = Ways.of(where, where.target)
    assert {one.code for one in observe(where, ways, makeup_exists=True).issues} == {"target_already_scheduled"}
    best = offer(where, ways).candidates[0]
    assert (best.type, best.changes[0].type) == ("create_makeup", "create_makeup")
    assert makeup_target(block, None, 60, 45).minutes == 45


OBSERVED: dict[str, tuple[list[Event], dict[str, Any], dict[str, Any], str, str]] = {
    "completed": ([], {"status": "completed"}, {}, "target_completed", "close"),
    "scheduled": ([flexible("b", 9, 10.5, task_id="tsk_1")], {}, {}, "target_already_scheduled", "close"),
    "past": ([], {"deadline_at": NOW, "earliest_start_at": None}, {}, "deadline_passed", "select_candidate"),
    "full": ([full(9, 12), full(13, 18)], {}, {}, "no_free_slot", "select_candidate"),
    "too little": ([full(10, 12), full(13, 18)], {}, {}, "capacity_insufficient", "select_candidate"),
    "scattered": ([full(10, 11), full(13, 18)], {"allow_late": False}, {}, "fragmented_capacity", "select_candidate"),
    "room": ([], {}, {}, "can_add_task_pool_to_schedule", "select_candidate"),
}  # fmt: skip


@pytest.mark.parametrize("name", OBSERVED)
def test_what_is_the_matter_decides_what_is_done(name: str) -> None:
    """ST-24 and ST-25: the primary issue, and the action that follows."""
    events, fields, more, code, action = OBSERVED[name]
    lab = task(**{"deadline_at": at(18), "earliest_start_at": at(9)} | fields)
    observed, _, decision = outcome(context(events, lab, **more))
    assert observed.primary is not None
    assert (observed.primary.code, decision.action) == (code, action)


def test_an_unknown_target_of_a_feedback_is_asked_for() -> None:
    """ST-24: never guessed."""
    where = context([], target=None, trigger_type="unfinished_feedback")
    observed = observe(where, None)
    assert [issue.code for issue in observed.issues] == ["feedback_target_unknown"]
    assert decide(observed, []).action == "ask_user"


def test_the_window_ends_with_the_deadline_or_after_a_day() -> None:
    """ST-23: never beyond the horizon; placed minutes are not placed again."""
    assert context([]).window_reason == "until_deadline"
    rolling = context([], task())
    assert (rolling.window_reason, rolling.place_by) == ("rolling_24h", NOW + timedelta(hours=24))
    assert context([], task(deadline_at=at(0, 60))).place_by == NOW + timedelta(days=14)
    half = context([flexible("b", 9, 9.75, task_id="tsk_1")])
    assert half.target is not None
    assert half.target.minutes == 45
    mocked = context([], task(), mock_now=NOW + timedelta(days=1))
    assert mocked.place_by == NOW + timedelta(days=2)


def test_too_many_events_end_the_horizon_at_the_last_that_is_read() -> None:
    """ST-23: the horizon ends where the reading does; what takes no room is not counted."""
    events = [busy(f"evt_{hour}", hour, hour + 1) for hour in (11, 9, 10)]
    assert within_events_max(events, at(0, 14)) == (sorted(events, key=lambda one: one.start_at), at(0, 14))
    read, end = within_events_max([*events, busy("free", 8, 20, busy=False)], at(0, 14), 2)
    assert ([one.event_id for one in read], end) == (["evt_9", "evt_10"], at(11))


def test_the_timetable_places_whole_sections() -> None:
    """ST-15, ST-24 and ST-33: candidates of a person who keeps a timetable."""
    grid = Grid(term=semester12(datetime(2026, 9, 7).date()))  # noqa: DTZ001  a date
    lab = task(deadline_at=at(18), earliest_start_at=at(8))
    observed, found, _ = outcome(context([full(8, 9)], lab, grid=grid))
    assert observed.metrics["window"]["unit"] == "sections"
    assert shown(found.candidates[0]) == ["new Mon 10:15-11:55"]
    assert found.candidates[0].changes[0].section == (12, 1, 3, 4)
    moved = offered(context([flexible("a", 8, 9 + 2 / 3), full(10.25, 18)], lab, grid=grid))
    assert shown(by_method(moved, "move_one")) == ["new Mon 08:00-09:40", "a Mon 19:00-20:40"]


blocks = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 47),
        st.integers(1, 8),
        st.sampled_from(["fixed", "flexible", "flexible", "flexible", "pinned"]),
        st.booleans(),
    ),
    max_size=25,
)
wishes = st.fixed_dictionaries(
    {
        "duration_minutes": st.sampled_from([30, 45, 90, 120, 180]),
        "splittable": st.booleans(),
        "allow_late": st.booleans(),
        "deadline_at": st.sampled_from([None, at(12), at(18), at(12, 1), at(18, 3), NOW]),
    }
)
grids = st.sampled_from(
    [
        Grid(),
        Grid(buffer_minutes=10),
        Grid(term=semester12(MONDAY.date())),
        Grid(buffer_minutes=5, term=semester12(MONDAY.date())),
    ]
)


def day_events(rows: list[tuple[int, int, int, str, bool]]) -> list[Event]:
    return [
        busy(f"evt_{number}", 9 + quarter / 4, 9 + (quarter + length) / 4, day, mobility=mobility,
             task_id=f"tsk_b{number}" if owned else None)
        for number, (day, quarter, length, mobility, owned) in enumerate(rows)
    ]  # fmt: skip


@given(blocks, wishes, grids)
def test_every_candidate_passes_the_checker(
    rows: list[tuple[int, int, int, str, bool]], wish: dict[str, Any], grid: Grid
) -> None:
    """ST-28: whatever the calendar, and whether or not it keeps the rules itself."""
    where = context(day_events(rows), task(**wish), grid=grid)
    assert where.target is not None
    for candidate in offered(where):
        late = candidate.method == "late"
        added = placings(candidate.changes, where.target, where.open_span, late=late)
        moved = {change.event_id: change.after for change in candidate.changes if change.event_id is not None}
        resized = frozenset(moved) if candidate.method == "compress" else frozenset[str]()
        assert conflicts(calendar_of(where), added, moved, resized) == []
        assert candidate.applicable == bool(candidate.changes)


@given(blocks, wishes, grids)
def test_no_fixed_or_pinned_event_ever_moves(
    rows: list[tuple[int, int, int, str, bool]], wish: dict[str, Any], grid: Grid
) -> None:
    """ST-13 and ST-28: nor one that begins before the freeze is over."""
    events = day_events(rows)
    mobility = {one.event_id: one.mobility for one in events}
    for candidate in offered(context(events, task(**wish), grid=grid)):
        assert {mobility[change.event_id] for change in candidate.changes if change.event_id} <= {"flexible"}
        before = {entry.entry_id: entry.place for entry in candidate.before}
        for entry in candidate.after:
            if entry.status == "unchanged":
                assert entry.place == before[entry.entry_id]


@given(blocks, wishes, grids)
def test_keep_is_always_offered(rows: list[tuple[int, int, int, str, bool]], wish: dict[str, Any], grid: Grid) -> None:
    """ST-32: last, beside at most three that can be applied, in the order of their costs; scores never rise."""
    candidates = offered(context(day_events(rows), task(**wish), grid=grid))
    assert candidates[-1].type == "keep"
    able = [candidate for candidate in candidates if candidate.applicable]
    assert len(able) == len(candidates) - 1 <= 3
    costs = [candidate.cost for candidate in able if candidate.cost is not None]
    assert costs == sorted(costs)
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == 0
    assert len({candidate.candidate_id for candidate in candidates}) == len(candidates)
