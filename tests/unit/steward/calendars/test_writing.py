"""What others' calendar programs are given: ST-17."""

from datetime import UTC, datetime, timedelta

from steward.calendars.reading import read_calendar
from steward.calendars.writing import ICalendarWriter
from steward.ports.calendar import WrittenEvent
from tests.unit.steward.calendars.texts import NOW, frame

START = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
BLOCK = WrittenEvent("evt_1@steward", "Lab; report, 报告", START, START + timedelta(minutes=90), "tentative", 3)


def test_a_written_event_has_a_stable_uid_and_its_version() -> None:
    """ST-17: UID, SEQUENCE, STATUS, times in UTC, texts escaped."""
    lines = ICalendarWriter().write("Steward", [BLOCK], NOW).decode().split("\r\n")
    assert {"UID:evt_1@steward", "SEQUENCE:3", "STATUS:TENTATIVE", "DTSTART:20261123T023000Z"} <= set(lines)
    assert "SUMMARY:Lab\\; report\\, 报告" in lines
    assert "X-WR-CALNAME:Steward" in lines


def test_what_is_written_reads_back_but_makes_no_echo() -> None:
    """ST-16, ST-17: under another UID it is the same event; under ours it is skipped."""
    text = ICalendarWriter().write("Steward", [BLOCK], NOW)
    assert read_calendar(text, frame()).own == 1
    (back,) = read_calendar(text.replace(b"@steward", b"@other"), frame()).events
    assert (back.title, back.start_at, back.end_at) == (BLOCK.title, BLOCK.start_at, BLOCK.end_at)
