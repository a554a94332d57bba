"""Places on the grid over clock changes, and what is left free: ST-14, ST-15, ST-24."""

from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steward.domain.grid import Grid, Section, Steps, Term, Window, semester12
from steward.domain.places import is_place, nominal_minutes, openings, places, section_place
from steward.domain.room import busy_spans, is_clear, room
from steward.domain.span import Span, seconds
from steward.domain.zones import day_span, local_time
from tests.unit.steward.builders import event

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
TERM = Grid(term=semester12(date(2026, 9, 7)))


def daily(opens: int, closes: int, step: int = 30, buffer_minutes: int = 0) -> Grid:
    return Grid(Steps(step, ((Window(opens, closes),),) * 7), buffer_minutes=buffer_minutes)


def found(grid: Grid, zone: tzinfo, day: date, minutes: int) -> list[str]:
    """The places of the day, as the wall clock shows start and end."""
    span = day_span(zone, day)
    spans = places(openings(grid, zone, span), minutes, span)
    return [f"{local_time(zone, one.start):%H:%M}-{local_time(zone, one.end):%H:%M}" for one in spans]


def at(zone: tzinfo, text: str) -> int:
    return seconds(datetime.fromisoformat(text).replace(tzinfo=zone))


@pytest.mark.parametrize(
    ("zone", "day", "opens", "closes", "step", "minutes", "expected"),
    [
        # skipped: 02:00 to 03:00 does not exist; an hour from 01:30 ends at 03:30
        ("Europe/Berlin", date(2026, 3, 29), 60, 240, 30, 60, ["01:00-03:00", "01:30-03:30", "03:00-04:00"]),
        ("Europe/Berlin", date(2026, 3, 29), 150, 240, 30, 30, ["03:00-03:30", "03:30-04:00"]),
        ("Europe/Berlin", date(2026, 3, 29), 60, 150, 30, 30, ["01:00-01:30", "01:30-03:00"]),
        ("Europe/Berlin", date(2026, 3, 29), 120, 180, 30, 30, []),
        # repeated: 02:00 to 03:00 comes twice, the first is meant
        ("Europe/Berlin", date(2026, 10, 25), 90, 210, 30, 60, ["01:30-02:30", "02:00-02:00", "02:30-02:30"]),
        ("America/New_York", date(2026, 3, 8), 60, 240, 60, 60, ["01:00-03:00", "03:00-04:00"]),
        ("America/New_York", date(2026, 11, 1), 0, 120, 60, 60, ["00:00-01:00", "01:00-01:00"]),
        # half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30
        ("Australia/Lord_Howe", date(2026, 10, 4), 90, 180, 30, 30, ["01:30-02:30", "02:30-03:00"]),
        ("Australia/Lord_Howe", date(2026, 4, 5), 60, 150, 30, 30, ["01:00-01:30", "01:30-01:30", "02:00-02:30"]),
        # 5:45 ahead of UTC: steps are those of the wall clock
        ("Asia/Kathmandu", date(2026, 3, 29), 540, 660, 60, 60, ["09:00-10:00", "10:00-11:00"]),
        ("Asia/Kathmandu", date(2026, 3, 29), 550, 660, 30, 60, ["09:30-10:30", "10:00-11:00"]),
    ],
)  # fmt: skip
def test_places_on_the_day_of_a_clock_change(
    zone: str, day: date, opens: int, closes: int, step: int, minutes: int, expected: list[str]
) -> None:
    """ST-14: skipped local times are no starts, repeated ones mean the first, lengths are elapsed minutes."""
    assert found(daily(opens, closes, step), ZoneInfo(zone), day, minutes) == expected


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Beirut"]),
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    st.integers(0, 1380),
    st.integers(30, 600),
    st.sampled_from([5, 15, 30, 60]),
    st.integers(1, 4),
)
def test_every_place_keeps_step_length_and_window(
    name: str, day: date, opens: int, length: int, step: int, units: int
) -> None:
    """ST-14: on every day of every zone."""
    zone, closes = ZoneInfo(name), min(opens + length, 1440)
    grid, span = daily(opens, closes, step), day_span(ZoneInfo(name), day)
    starts = []
    for place in places(openings(grid, zone, span), units * step, span):
        shown = local_time(zone, place.start)
        starts.append(shown.replace(tzinfo=None, fold=0))
        assert (shown.minute % step, shown.fold, place.minutes) == (0, 0, units * step)
        assert opens <= shown.hour * 60 + shown.minute < closes
        assert is_place(grid, zone, place)
        assert not is_place(grid, zone, Span(place.start + 60, place.end + 60)) or step == 1
    assert len(set(starts)) == len(starts)


def test_a_length_off_the_step_has_no_place() -> None:
    """ST-14: lengths are multiples of the step, at least one."""
    assert found(daily(540, 720), SHANGHAI, date(2026, 11, 23), 45) == []
    assert found(daily(540, 720), SHANGHAI, date(2026, 11, 23), 0) == []


def test_block_never_spans_lunch() -> None:
    """ST-15: a block bridges no gap of more than 45 minutes, here between 11:55 and 14:00."""
    shown = found(TERM, SHANGHAI, date(2026, 11, 23), 90)
    assert shown[:3] == ["08:00-09:40", "08:55-11:00", "10:15-11:55"]
    assert "11:10-14:45" not in shown
    assert found(TERM, SHANGHAI, date(2026, 11, 23), 46) == shown, "sections are whole"
    assert found(TERM, SHANGHAI, date(2026, 11, 23), 180) == ["08:00-11:55", "14:00-17:55", "19:00-22:30"]
    assert found(TERM, SHANGHAI, date(2026, 11, 23), 181) == [], "at most four sections"


@pytest.mark.parametrize("day", [date(2026, 9, 6), date(2027, 3, 1), date(1970, 1, 2), date(2200, 12, 30)])
def test_date_outside_the_term_uses_the_minutes_grid(day: date) -> None:
    """ST-15: no date is an error; the term has 25 weeks from 7 September 2026 on."""
    assert found(TERM, SHANGHAI, day, 90) == found(Grid(), SHANGHAI, day, 90)
    assert found(TERM, SHANGHAI, date(2027, 2, 28), 45)[0] == "08:00-08:45", "its last day"
    assert found(TERM, SHANGHAI, date(2026, 9, 7), 45)[0] == "08:00-08:45", "its first"


def test_a_place_is_said_in_weeks_days_and_sections() -> None:
    """ST-15: the fields of the timetable beside the instants."""
    place = Span(at(SHANGHAI, "2026-11-24T08:55"), at(SHANGHAI, "2026-11-24T11:00"))
    assert section_place(TERM, SHANGHAI, place) == (12, 2, 2, 3)
    assert nominal_minutes(TERM, SHANGHAI, place) == 90
    assert nominal_minutes(Grid(), SHANGHAI, place) == 125
    assert section_place(Grid(), SHANGHAI, place) is None
    assert section_place(TERM, SHANGHAI, Span(place.start + 60, place.end)) is None


def test_a_section_lost_to_a_clock_change_is_not_there() -> None:
    """ST-15: at night, where the clock skips it."""
    grid = Grid(term=Term((Section("night", 120, 165), Section("morning", 180, 225)), date(2026, 3, 23)))
    assert found(grid, BERLIN, date(2026, 3, 29), 45) == ["03:00-03:45"]
    assert found(grid, BERLIN, date(2026, 3, 28), 45) == ["02:00-02:45", "03:00-03:45"]


def test_buffers_are_hard() -> None:
    """ST-28: what is busy is kept clear of with the buffer on both sides, to the second."""
    zone = SHANGHAI
    lecture = event(start_at=datetime(2026, 11, 23, 10, tzinfo=zone), end_at=datetime(2026, 11, 23, 11, tzinfo=zone))
    taken = busy_spans([lecture], 15)
    assert is_clear(Span(at(zone, "2026-11-23T09:00"), at(zone, "2026-11-23T09:45")), taken)
    assert not is_clear(Span(at(zone, "2026-11-23T09:00"), at(zone, "2026-11-23T09:45") + 1), taken)
    assert is_clear(Span(at(zone, "2026-11-23T11:15"), at(zone, "2026-11-23T12:00")), taken)
    assert not is_clear(Span(at(zone, "2026-11-23T11:14"), at(zone, "2026-11-23T12:00")), taken)


def test_what_takes_no_room_is_not_busy() -> None:
    """ST-13: neither cancelled events nor those that are not busy."""
    assert busy_spans([event(busy=False), event(status="cancelled")], 0) == []


def test_free_minutes_are_those_of_the_windows() -> None:
    """ST-24: all of them, and the longest piece that one block could take."""
    zone = SHANGHAI
    lecture = event(start_at=datetime(2026, 11, 23, 10, tzinfo=zone), end_at=datetime(2026, 11, 23, 14, tzinfo=zone))
    day = day_span(zone, date(2026, 11, 23))
    assert room(Grid(), zone, day, []) == ("minutes", 600, 300)
    assert room(Grid(), zone, day, busy_spans([lecture], 0)) == ("minutes", 420, 240)
    assert room(Grid(), zone, Span(at(zone, "2026-11-23T11:30"), day.end), []) == ("minutes", 450, 300)


def test_a_section_that_a_busy_event_touches_is_taken() -> None:
    """ST-15 and ST-24: by a minute, or by the buffer alone; room is counted in sections."""
    zone, day = SHANGHAI, day_span(SHANGHAI, date(2026, 11, 23))
    lecture = event(start_at=datetime(2026, 11, 23, 9, 39, tzinfo=zone), end_at=datetime(2026, 11, 23, 10, tzinfo=zone))
    assert room(TERM, zone, day, []) == ("sections", 12, 4)
    assert room(TERM, zone, day, busy_spans([lecture], 0)) == ("sections", 11, 4)
    assert room(TERM, zone, day, busy_spans([lecture], 15)) == ("sections", 11, 4)
    assert room(TERM, zone, day, busy_spans([lecture], 16)) == ("sections", 10, 4)
    night = day_span(zone, date(2026, 9, 6))
    assert room(TERM, zone, night, []).free == (180 // 45 + 300 // 45 + 120 // 45)


def test_an_event_in_the_break_parts_two_sections() -> None:
    """ST-15: one block over both sections would stand on it."""
    zone, day = SHANGHAI, day_span(SHANGHAI, date(2026, 11, 23))
    start = datetime(2026, 11, 23, 8, 45, tzinfo=zone)
    talk = event(start_at=start, end_at=start + timedelta(minutes=10))
    short = Span(day.start, at(zone, "2026-11-23T09:40"))
    assert room(TERM, zone, short, busy_spans([talk], 0)) == ("sections", 2, 1)
