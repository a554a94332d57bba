"""Positions and snapshots: what lies behind a reader."""

import pytest

from outrider.core.position import Position
from outrider.core.snapshot import Snapshot


def test_a_snapshot_reads_and_writes_postgres_text() -> None:
    """OB-18: the text form is PostgreSQL's; anything else is refused."""
    snapshot = Snapshot.parse("10:20:10,14,15")
    assert snapshot == Snapshot(10, 20, (10, 14, 15))
    assert str(snapshot) == "10:20:10,14,15"
    assert str(Snapshot.parse("7:7:")) == "7:7:"
    for wrong in ("", "10:20", "a:b:c"):
        with pytest.raises(ValueError):
            Snapshot.parse(wrong)


@pytest.mark.parametrize(
    ("xid", "seen"), [(9, True), (10, False), (11, True), (14, False), (19, True), (20, False), (99, False)]
)
def test_a_snapshot_sees_what_had_ended(xid: int, seen: bool) -> None:
    """OB-18: visible below xmax unless it was running."""
    assert Snapshot(10, 20, (10, 14, 15)).sees(xid) is seen


def test_a_tick_opens_moves_and_ends() -> None:
    """OB-18, OB-19: a tick leads from done to target; at its end the next one starts there."""
    done, target = Snapshot(1, 1), Snapshot(5, 9, (5,))
    start = Position(done, done)
    assert start.exhausted
    opened = start.opened(target, 3)
    assert not opened.exhausted
    assert (opened.done, opened.target, opened.last_id, opened.first_id) == (done, target, 0, 3)
    moved = opened.at(7)
    assert (moved.last_id, moved.first_id) == (7, 3)
    assert moved.ended(8) == Position(target, target, 8)


def test_what_is_remembered_goes_along_and_makes_no_other_position() -> None:
    """OB-19: the run of the server stays with a position on its way, and one read from the table is equal to it."""
    done, target = Snapshot(5, 5), Snapshot(9, 9)
    opened = Position(done, done).opened(target, None, server_run=7)
    assert [opened.server_run, opened.at(6).server_run, opened.ended(8).server_run] == [7, 7, 7]
    assert opened.ended(8) == Position(target, target, 8)


@pytest.mark.parametrize(
    ("log_id", "xid", "passed"),
    [(1, 99, True), (50, 2, True), (5, 6, True), (8, 6, False), (5, 7, False), (5, 12, False), (9, None, False)],
)
def test_what_is_behind_a_position(log_id: int, xid: int | None, passed: bool) -> None:
    """OB-23: at or below the floor, in done, or in target up to the last id."""
    position = Position(Snapshot(5, 5), Snapshot(7, 10, (7,)), last_id=5)
    assert position.passed(log_id, xid, floor_id=1) is passed


def test_without_snapshots_the_id_alone_decides() -> None:
    """OB-23: SQLite has one writer."""
    assert Position(last_id=5).passed(5, None)
    assert not Position(last_id=5).passed(6, None)
    assert Position().exhausted
