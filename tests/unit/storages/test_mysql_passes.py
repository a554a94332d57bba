"""How a lane's side rows are read in passes, the server's answers played by a list."""

from collections.abc import Callable

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.steps import Rows, Statement, run
from outrider.ports.log_reader import Batch
from outrider.storages.mysql.log_reader import NO_BOUND, MysqlLogReader


class Pending:
    """The side rows that are committed by now, and what was asked."""

    def __init__(self, *log_ids: int) -> None:
        self.log_ids = set(log_ids)
        self.asked: list[str] = []
        self.after_bound: Callable[[], None] = lambda: None

    def read(self, position: Position, limit: int) -> Batch:
        return run(MysqlLogReader().read(position, LaneKey(1, 0), 1, 0, limit), self._execute)

    def _execute(self, statement: Statement) -> Rows:
        self.asked.append(statement.name)
        params = statement.params
        if statement.name == "open_pass":
            bound = max(self.log_ids, default=None)
            self.after_bound()
            return [(bound,)]
        taken = params.get("taken", ())
        assert bool(taken) is (statement.name == "read_pass_beside")
        found = [i for i in sorted(self.log_ids) if params["from_id"] < i <= params["upto"] and i not in taken]
        return [(i,) for i in found[: params["limit"]]]


def ids(batch: Batch) -> list[int]:
    return [row[0] for row in batch.rows]


def test_a_short_pass_costs_one_statement() -> None:
    """OB-21: the statement's own snapshot is its bound."""
    pending = Pending(3, 5)
    batch = pending.read(Position(last_id=9), 10)
    assert (ids(batch), batch.exhausted, batch.after.upto) == ([3, 5], True, 0)
    assert pending.asked == ["read_pass"]


def test_a_late_commit_waits_for_the_next_pass_and_goes_before_its_successor() -> None:
    """OB-21, OB-4: 5 commits while the pass stands at 6, then its successor 7, which the pass must not reach (H19)."""
    pending = Pending(2, 6)
    first = pending.read(Position(), 2)
    pending.log_ids |= {5, 7}
    rest = pending.read(first.after, 2)
    assert (ids(first), ids(rest)) == ([2, 6], [5, 7])


def test_a_long_pass_ends_at_what_was_visible_when_it_began() -> None:
    """OB-21: what commits while it goes on is left for the next one."""
    pending = Pending(1, 2, 3, 4, 6, 8)
    first = pending.read(Position(), 2)
    assert ids(first) == [1, 2]
    pending.after_bound = lambda: pending.log_ids.update({5, 9})
    second = pending.read(first.after, 3)
    assert ids(second) == [3, 4, 5]
    pending.log_ids |= {7, 10}
    third = pending.read(second.after, 3)
    assert (ids(third), third.exhausted) == ([6, 7, 8], False)
    assert ids(pending.read(third.after, 5)) == [9, 10]


def test_what_is_in_flight_is_not_read_again_until_it_is_gone() -> None:
    """OB-21: a side row stays until the position is written; a pass that begins anew must leave it out."""
    pending = Pending(1, 2, 3)
    first = pending.read(Position(), 5)
    pending.log_ids |= {4}
    second = pending.read(first.after, 5)
    assert ids(second) == [4]
    assert second.after.taken == ((1, 2, 3), (4,))
    pending.log_ids -= {1, 2, 3}
    behind = second.after.behind(first.after)
    assert behind.taken == ((4,),)
    assert ids(pending.read(behind, 5)) == []
    assert second.after.behind(second.after).taken == ()


def test_an_empty_log_has_no_bound() -> None:
    pending = Pending(1)
    full = pending.read(Position(), 1)
    assert not full.exhausted
    assert (full.after.upto, full.after.last_id) == (1, 1)
    pending.log_ids.clear()
    empty = pending.read(full.after, 1)
    assert (ids(empty), empty.exhausted, empty.after.upto) == ([], True, 0)
    assert NO_BOUND > 2**62
