"""What an iCalendar text says, in plain values: ST-12, ST-16, §18."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steward.calendars import wire
from steward.calendars.reading import read_calendar
from steward.ports.calendar import ReadCalendar, RefusedComponent, UnreadableCalendar
from tests.unit.steward.calendars.texts import NEW_YORK_LIKE, calendar, event, frame, read, reasons, starts


def test_a_single_event() -> None:
    """ST-16: instants in UTC with the zone they were said in; no place in a series."""
    lines = (
        "DTSTART;TZID=Asia/Shanghai:20261123T090000",
        "DTEND;TZID=Asia/Shanghai:20261123T103000",
        "LOCATION:Room 1",
    )
    (one,) = read(event(*lines)).events
    assert (one.uid, one.recurrence_id, one.title, one.location) == ("a@x", "", "Lecture", "Room 1")
    assert (one.start_at, one.end_at) == (
        datetime(2026, 11, 23, 1, tzinfo=UTC),
        datetime(2026, 11, 23, 2, 30, tzinfo=UTC),
    )
    assert (one.zone, one.busy, one.status, one.start_date) == ("Asia/Shanghai", True, "confirmed", None)


def test_a_series_with_exdate_and_override_over_a_clock_change() -> None:
    """ST-16: it keeps its wall clock; what is excepted is gone, what is moved keeps its place in the series."""
    series = event(
        "DTSTART;TZID=Europe/Berlin:20270322T100000",
        "DURATION:PT1H",
        "RRULE:FREQ=WEEKLY;COUNT=5",
        "EXDATE;TZID=Europe/Berlin:20270412T100000",
    )
    moved = event(
        "RECURRENCE-ID;TZID=Europe/Berlin:20270405T100000",
        "DTSTART;TZID=Europe/Berlin:20270406T160000",
        "DTEND;TZID=Europe/Berlin:20270406T170000",
        "STATUS:TENTATIVE",
    )
    found = read(series, moved, now=datetime(2027, 3, 20, tzinfo=UTC))
    assert starts(found) == ["03-22T09:00Z", "03-29T08:00Z", "04-06T14:00Z", "04-19T08:00Z"]
    places = [one.recurrence_id for one in found.events]
    assert places == ["20270322T090000Z", "20270329T080000Z", "20270405T080000Z", "20270419T080000Z"]
    assert [one.status for one in found.events] == ["confirmed", "confirmed", "tentative", "confirmed"]


def test_a_series_without_end_is_cut_to_the_frame() -> None:
    """ST-16: the last 30 and the next 180 days."""
    found = read(event("DTSTART:20200106T010000Z", "DTEND:20200106T020000Z", "RRULE:FREQ=WEEKLY"))
    assert len(found.events) == 30
    assert found.events[0].start_at == datetime(2026, 10, 26, 1, tzinfo=UTC)
    assert found.events[-1].start_at == datetime(2027, 5, 17, 1, tzinfo=UTC)
    shorter = read(event("DTSTART:20200106T010000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"), ahead=timedelta(days=7))
    assert len(shorter.events) == 5


def test_rdates_join_the_series() -> None:
    """ST-16: RDATE, also as a period with its own length."""
    found = read(
        event(
            "DTSTART:20261123T010000Z",
            "DTEND:20261123T020000Z",
            "RDATE:20261125T030000Z",
            "RDATE;VALUE=PERIOD:20261126T030000Z/PT3H",
        )
    )
    assert starts(found) == ["11-23T01:00Z", "11-25T03:00Z", "11-26T03:00Z"]
    assert found.events[2].end_at - found.events[2].start_at == timedelta(hours=3)


def test_all_day_events_are_dates() -> None:
    """ST-12, ST-16: midnight to midnight where the person lives; without an end one day."""
    found = read(
        event("DTSTART;VALUE=DATE:20261123", uid="one"),
        event("DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261126", "TRANSP:TRANSPARENT", uid="two"),
        event("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=2", uid="three"),
    )
    one, two, three, four = found.events
    assert (one.start_date, one.end_date, one.zone) == (date(2026, 11, 23), date(2026, 11, 24), "Asia/Shanghai")
    assert (one.start_at, one.end_at) == (
        datetime(2026, 11, 22, 16, tzinfo=UTC),
        datetime(2026, 11, 23, 16, tzinfo=UTC),
    )
    assert (one.busy, two.busy, two.end_date) == (True, False, date(2026, 11, 26))
    assert (three.recurrence_id, four.recurrence_id) == ("20261201", "20261202")


@pytest.mark.parametrize(
    ("rule", "expected"), [("transp", [True, False]), ("always", [True] * 2), ("never", [False] * 2)]
)
def test_a_source_says_whether_whole_days_take_time(rule: str, expected: list[bool]) -> None:
    """ST-16: `all_day_busy`."""
    found = read(
        event("DTSTART;VALUE=DATE:20261123", uid="one"),
        event("DTSTART;VALUE=DATE:20261124", "TRANSP:TRANSPARENT", uid="two"),
        all_day_busy=rule,
    )
    assert [one.busy for one in found.events] == expected


def test_transparent_and_cancelled_take_no_time() -> None:
    """ST-16: TRANSP and STATUS."""
    hours = ("DTSTART:20261123T010000Z", "DTEND:20261123T020000Z")
    found = read(
        event(*hours, "TRANSP:TRANSPARENT", uid="one"),
        event(*hours, "STATUS:CANCELLED", uid="two"),
        event(*hours, uid="three"),
    )
    assert {one.uid: (one.busy, one.status) for one in found.events} == {
        "one": (False, "confirmed"),
        "two": (False, "cancelled"),
        "three": (True, "confirmed"),
    }


@pytest.mark.parametrize(
    ("head", "expected"),
    [("", "11-23T01:00Z"), ("X-WR-TIMEZONE:Europe/Berlin", "11-23T08:00Z"), ("X-WR-TIMEZONE:Mars", "11-23T01:00Z")],
)
def test_floating_times_take_the_calendars_zone_or_the_persons(head: str, expected: str) -> None:
    """ST-16: X-WR-TIMEZONE, else the user's zone."""
    found = read(event("DTSTART:20261123T090000", "DTEND:20261123T100000"), head=head)
    assert starts(found) == [expected]


def test_a_floating_series_keeps_its_wall_clock() -> None:
    """ST-16: over a clock change of the zone that it is in."""
    lines = ("DTSTART:20270327T090000", "DTEND:20270327T100000", "RRULE:FREQ=DAILY;COUNT=2")
    found = read(event(*lines), head="X-WR-TIMEZONE:Europe/Berlin")
    assert starts(found) == ["03-27T08:00Z", "03-28T07:00Z"]
    assert [one.recurrence_id for one in found.events] == ["20270327T080000Z", "20270328T070000Z"]


def test_a_zone_that_the_calendar_defines_itself() -> None:
    """ST-16: VTIMEZONE."""
    lines = ("DTSTART;TZID=Home:20270313T090000", "DTEND;TZID=Home:20270313T100000", "RRULE:FREQ=DAILY;COUNT=2")
    found = read(event(*lines), head=NEW_YORK_LIKE)
    assert starts(found) == ["03-13T14:00Z", "03-14T13:00Z"]
    assert {one.zone for one in found.events} == {"Asia/Shanghai"}


def test_a_zone_that_nobody_knows_is_not_guessed() -> None:
    """ST-16: refused with its name."""
    found = read(event("DTSTART;TZID=Mars/Base:20261123T090000", "DTEND;TZID=Mars/Base:20261123T100000"))
    assert reasons(found) == ["its time zone Mars/Base is not known"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "it has no start"),
        (("DTSTART:20261123T010000Z",), "it has no length"),
        (("DTSTART:20261123T010000Z", "DTEND:20261123T003000Z"), "it does not end after it starts"),
        (
            ("DTSTART:20261123T010000Z", "DTEND;VALUE=DATE:20261124"),
            "one of its start and end is a day, the other a time",
        ),
        (("DTSTART:tomorrow", "DTEND:20261123T003000Z"), "it is not as iCalendar (RFC 5545) says"),
        (
            ("DTSTART:20261123T010000Z", "DURATION:PT1H", "RRULE:FREQ=FORTNIGHTLY"),
            "it is not as iCalendar (RFC 5545) says",
        ),
    ],
)
def test_a_bad_component_is_refused_and_the_rest_is_read(lines: tuple[str, ...], reason: str) -> None:
    """ST-16: counted with reasons."""
    good = event("DTSTART:20261124T010000Z", "DTEND:20261124T020000Z", uid="good")
    found = read(event(*lines, uid="bad"), good)
    assert [one.uid for one in found.events] == ["good"]
    assert [(one.uid, one.reason) for one in found.refused] == [("bad", reason)]


def test_an_event_without_a_uid_is_refused() -> None:
    """ST-16: without it nothing says which event it is next time."""
    text = event("DTSTART:20261124T010000Z", "DTEND:20261124T020000Z").replace("UID:a@x\n", "")
    found = read(text)
    assert (found.events, reasons(found)) == ((), ["it has no UID"])


def test_our_own_events_are_skipped() -> None:
    """ST-16: a feed of our feed makes no echo."""
    found = read(event("DTSTART:20261124T010000Z", "DTEND:20261124T020000Z", uid="evt_1@steward"))
    assert (found.events, found.refused, found.own) == ((), (), 1)


def test_texts_are_cleaned_and_cut() -> None:
    """ST-16: titles are somebody else's words."""
    hours = ("DTSTART:20261123T010000Z", "DTEND:20261123T020000Z")
    text = event(*hours).replace("SUMMARY:Lecture", "SUMMARY:A\\nB\u202e " + "x" * 400)
    (one,) = read(text).events
    assert one.title == "A B " + "x" * 251
    (nameless,) = read(event(*hours).replace("SUMMARY:Lecture\n", "")).events
    assert nameless.title == "(untitled)"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("FREQ=SECONDLY", "it recurs every second"),
        ("FREQ=MINUTELY;INTERVAL=15", "it occurs more than 10000 times in this time"),
        ("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30", "it takes too long to work out when it recurs"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "it takes too long to work out when it recurs"),
    ],
)
def test_a_series_that_costs_too_much_is_refused(rule: str, reason: str) -> None:
    """ST-16, §18: every second, too many, or without end and without an occurrence."""
    hostile = event("DTSTART:20261120T010000Z", "DURATION:PT10S", f"RRULE:{rule}", uid="bad")
    good = event("DTSTART:20261124T010000Z", "DTEND:20261124T020000Z", uid="good")
    seconds = 0.2 if "BYMONTH" in rule else 5.0
    found = read_calendar(calendar(hostile, good), frame(), series_seconds=seconds)
    assert [one.uid for one in found.events] == ["good"]
    assert [(one.uid, one.reason) for one in found.refused] == [("bad", reason)]


def test_a_rule_that_moves_the_rest_keeps_identities_apart() -> None:
    """ST-16: RANGE=THISANDFUTURE."""
    series = event("DTSTART:20261123T010000Z", "DTEND:20261123T020000Z", "RRULE:FREQ=DAILY;COUNT=4")
    moved = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20261124T010000Z", "DTSTART:20261124T050000Z", "DTEND:20261124T060000Z"
    )
    found = read(series, moved)
    assert starts(found) == ["11-23T01:00Z", "11-24T05:00Z", "11-25T05:00Z", "11-26T05:00Z"]
    assert len({one.recurrence_id for one in found.events}) == 4


@pytest.mark.parametrize(
    "text", [b"", b"<html><body>no</body></html>", b"BEGIN:VCARD\r\nEND:VCARD\r\n", b"\xff\xfe\x00", b"END:VEVENT\r\n"]
)
def test_what_is_no_calendar_is_refused_whole(text: bytes) -> None:
    """ST-16, §18: not a calendar."""
    with pytest.raises(UnreadableCalendar, match="not an iCalendar text"):
        read_calendar(text, frame())


def test_a_text_that_is_too_large_is_not_even_looked_at() -> None:
    """§18: 5 MiB."""
    with pytest.raises(UnreadableCalendar, match="larger than 5 MiB"):
        read_calendar(b"x" * ((5 << 20) + 1), frame())


def test_deep_nesting_is_no_way_in() -> None:
    """§18: components in components."""
    deep = "BEGIN:VEVENT\n" * 3000 + "END:VEVENT\n" * 3000
    found = read(deep, event("DTSTART:20261124T010000Z", "DTEND:20261124T020000Z", uid="good"))
    assert [one.uid for one in found.events] == ["good"]


LINES = st.sampled_from(
    ["BEGIN:VEVENT", "END:VEVENT", "BEGIN:VTIMEZONE", "END:VTIMEZONE", "UID:a", "DTSTART:20261123T010000Z", "DTEND:x",
     "DTSTART;VALUE=DATE:20261123", "RRULE:FREQ=DAILY", "RRULE:FREQ=YEARLY;COUNT=-1", "EXDATE:", "RDATE:,", "DURATION:P1D",
     "RECURRENCE-ID:20261123T010000Z", "TZID:Home", 'SUMMARY;X="', "SEQUENCE:x", "X-WR-TIMEZONE:", "STATUS:\x00", ":", ";"]
)  # fmt: skip


@given(st.lists(LINES | st.text(max_size=20), max_size=30))
def test_any_text_ends_with_a_value_or_a_reason(lines: list[str]) -> None:
    """ST-16, §18: never with another exception."""
    try:
        found = read_calendar(calendar(*lines), frame())
    except UnreadableCalendar as problem:
        found = ReadCalendar((), (RefusedComponent("", problem.reason),))
    assert all(one.end_at > one.start_at for one in found.events)
    assert all(one.reason for one in found.refused)


def test_what_crosses_to_the_reading_process_is_equal_there() -> None:
    """ST-16: frame and text one way, the reading the other."""
    text, sent = calendar(event("DTSTART;VALUE=DATE:20261123"), event("DTSTART:x", uid="bad")), frame()
    assert wire.read_request(wire.request(text, sent)) == (text, sent)
    found = read_calendar(text, sent)
    assert isinstance(found, ReadCalendar)
    assert wire.read_answer(wire.answer(found)) == found
    with pytest.raises(UnreadableCalendar, match="no"):
        wire.read_answer(wire.answer(UnreadableCalendar("no")))
