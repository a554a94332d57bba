"""What an import changes: ST-16."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from steward.ports.calendar import CalendarFrame, ReadEvent
from steward.ports.rows.calendar import EventRow
from steward.service.merging import Merge, merge, uid_key

NOW = datetime(2026, 11, 20, tzinfo=UTC)
FRAME = CalendarFrame(NOW, "Asia/Shanghai")
LECTURE = ReadEvent(
    "a@x", "", "Lecture", None, NOW + timedelta(days=3), NOW + timedelta(days=3, hours=1), "Asia/Shanghai"
)


def new_row(columns: Mapping[str, Any]) -> EventRow:
    return EventRow(event_id=f"evt_{columns['uid']}", user_id="usr_1", created_at=NOW, origin="import", **columns)


def merged(rows: list[EventRow], *events: ReadEvent) -> Merge:
    return merge(rows, events, FRAME, new_row)


def test_new_events_become_fixed_rows() -> None:
    """ST-16: with all that was read of them."""
    (row,) = merged([], LECTURE).added
    assert (row.mobility, row.origin, row.busy, row.uid, row.recurrence_id) == ("fixed", "import", True, "a@x", "")
    assert (row.start_at, row.end_at, row.zone, row.all_day) == (
        LECTURE.start_at,
        LECTURE.end_at,
        "Asia/Shanghai",
        False,
    )


def test_equal_rows_are_left_alone() -> None:
    """ST-16: a second import of the same file writes nothing."""
    rows = list(merged([], LECTURE).added)
    found = merged(rows, LECTURE)
    assert (found.equal, found.writes) == (1, False)


def test_only_what_differs_is_written() -> None:
    """ST-16: columns by name."""
    rows = list(merged([], LECTURE).added)
    found = merged(rows, replace(LECTURE, title="Seminar", busy=False))
    assert found.changed == ((rows[0], {"title": "Seminar", "busy": False}),)


def test_a_vanished_event_is_cancelled_and_comes_back() -> None:
    """ST-16: where the reading would have seen it."""
    rows = list(merged([], LECTURE).added)
    assert merged(rows).cancelled == tuple(rows)
    cancelled = [replace(rows[0], status="cancelled")]
    assert not merged(cancelled).writes
    assert merged(cancelled, LECTURE).changed == ((cancelled[0], {"status": "confirmed"}),)


def test_rows_outside_the_frame_have_not_vanished() -> None:
    """ST-16: older than 30 days is no longer read, which says nothing."""
    row = merged([], LECTURE).added[0]
    old = replace(row, start_at=NOW - timedelta(days=31), end_at=NOW - timedelta(days=30))
    assert not merged([old]).writes
    assert merged([replace(old, end_at=old.end_at + timedelta(seconds=1))]).cancelled


def test_one_identity_makes_one_row() -> None:
    """ST-16: the first of two that say they are the same."""
    found = merged([], LECTURE, replace(LECTURE, title="Twin"), replace(LECTURE, recurrence_id="20261123T010000Z"))
    assert [(row.title, row.recurrence_id) for row in found.added] == [("Lecture", ""), ("Lecture", "20261123T010000Z")]


def test_a_uid_that_no_row_holds_goes_by_its_hash() -> None:
    """ST-16, §2: longer than 255, or no clean text."""
    assert uid_key("a@x") == "a@x"
    assert uid_key("x" * 255) == "x" * 255
    assert len(uid_key("x" * 256)) == len("sha256:") + 64
    assert uid_key("a\tb").startswith("sha256:")
