"""What an error means, and the steps over the inbox, with lists in place of a database."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from outrider.core.answers import Reject, Retry
from outrider.core.consume_plan import (
    DatabaseFault,
    HandlerTimeout,
    TransactionLeft,
    fault_of_state,
    read_error,
)
from outrider.core.inbox import FREE, KeyState, find_keys, over, promote_key, record_receipts, release_understood
from outrider.core.retry import Failure
from outrider.core.steps import Rows, Statement, Steps, T, run


class Answers:
    """Gives prepared rows, and remembers what was asked."""

    def __init__(self, *rows: Rows) -> None:
        self.rows = list(rows)
        self.asked: list[Statement] = []

    def __call__(self, statement: Statement) -> Rows:
        self.asked.append(statement)
        return self.rows.pop(0) if self.rows else ()

    def drive(self, steps: Steps[T]) -> T:
        return run(steps, self)


@pytest.mark.parametrize(
    ("error", "fault", "code", "failure", "in_place"),
    [
        (Reject("no"), None, "handler.rejected", Failure.PERMANENT, False),
        (Retry(timedelta(seconds=3)), None, "handler.failed", Failure.COUNTED, False),
        (Retry(counted=False), None, "handler.failed", Failure.UNCOUNTED, False),
        (HandlerTimeout("30 s"), None, "handler.timeout", Failure.COUNTED, False),
        (TransactionLeft("left"), None, "handler.transaction", Failure.COUNTED, True),
        (ValueError("boom"), None, "handler.failed", Failure.COUNTED, True),
        (ValueError("boom"), DatabaseFault.SERIALIZATION, "storage.unavailable", Failure.UNCOUNTED, True),
    ],
)
def test_an_error_counts_as_the_rules_say(
    error: Exception, fault: DatabaseFault | None, code: str, failure: Failure, in_place: bool
) -> None:
    """OB-28, OB-57, OB-58, OB-59: what is this message's fault, what is not, and what no retry helps."""
    read = read_error(error, fault)
    assert (read.code, read.failure, read.in_place) == (code, failure, in_place)


def test_error_text_is_stored_clean() -> None:
    """OB-29, OB-89: a secret, a NUL, half a character, a megabyte."""
    read = read_error(ValueError("password=hunter2 \x00 \ud800 " + "x" * 1_000_000), None)
    assert "hunter2" not in read.text
    assert "\x00" not in read.text
    assert len(read.text) <= 2_000
    read.text.encode()
    assert read_error(ValueError(), None).text == "ValueError"


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("40001", DatabaseFault.SERIALIZATION),
        ("40P01", DatabaseFault.SERIALIZATION),
        ("08006", DatabaseFault.UNAVAILABLE),
        ("53100", DatabaseFault.UNAVAILABLE),
        ("57P01", DatabaseFault.UNAVAILABLE),
        ("57014", None),
        ("23505", None),
        (None, None),
    ],
)
def test_what_an_sqlstate_says(state: str | None, fault: DatabaseFault | None) -> None:
    """OB-28: only our database's own errors are uncounted."""
    assert fault_of_state(state) is fault


def test_receipts_are_written_in_the_order_of_their_ids() -> None:
    """H10, OB-67: two owners never lock them in different orders."""
    ids = [UUID(int=3), UUID(int=1), UUID(int=2)]
    answers = Answers([(UUID(int=1), 0), (UUID(int=2), 0)])
    steps = record_receipts(1, ids, [30, 10, 20], arrays=False, texts=[str(one) for one in ids])
    recorded = answers.drive(steps)
    sets: Any = answers.asked[0].many
    assert [one["message_id"].int for one in sets] == [1, 2, 3]
    assert [one["fingerprint"] for one in sets] == [10, 20, 30]
    assert recorded.new == frozenset({UUID(int=1), UUID(int=2)})
    one_literal = Answers([(3, False, None)])
    steps = record_receipts(1, ids, [30, 10, 20], arrays=True, texts=[str(one) for one in ids])
    assert one_literal.drive(steps) == (None, False)
    assert one_literal.asked[0].params["fingerprints"] == "{30,10,20}"


def test_a_statement_over_many_takes_lists_or_sets() -> None:
    """OB-67: one round trip where the storage has arrays, one set a message where it has not."""
    ids = [uuid4(), uuid4()]
    assert over("find", {"message_id": ids}, arrays=True, consumer_id=1).params == {
        "consumer_id": 1,
        "message_ids": ids,
    }
    sets = over("find", {"message_id": ids}, arrays=False, consumer_id=1).many
    assert sets == [{"consumer_id": 1, "message_id": one} for one in ids]


def test_a_key_is_held_by_unfinished_rows_and_by_dead_ones_of_a_type_that_holds() -> None:
    """OB-27, OB-54."""
    answers = Answers([("t", "a", 1, None), ("t", "b", 0, "order.placed,x"), ("t", "c", 0, None)])
    keys = answers.drive(find_keys(1, [("t", "a"), ("t", "b"), ("t", "c")], arrays=True))
    assert [keys["t", name].holds({"x"}) for name in "abc"] == [True, True, False]
    assert not keys["t", "b"].holds({"y"})
    assert not FREE.holds({"x"})
    assert KeyState(blocked=True, dead_types=()).holds(())


def test_a_held_key_gets_no_head() -> None:
    """OB-27, OB-42: the next is promoted, unless a dead message holds the key; without a key there is no queue."""
    held = Answers([("t", "a", 0, "x")])
    assert not held.drive(promote_key(1, ("t", "a"), {"x"}, arrays=True))
    free = Answers([("t", "a", 0, None)], [(7,)])
    assert free.drive(promote_key(1, ("t", "a"), {"x"}, arrays=True))
    assert not Answers().drive(promote_key(1, None, {"x"}, arrays=True))


def test_only_what_is_understood_is_released() -> None:
    """OB-70: by type and version."""
    one = (uuid4(), "a", "t")
    answers = Answers([("a", 2), ("a", 3), ("b", 1)], [one])
    assert answers.drive(release_understood(1, {"a": 2})) == [one]
    assert [statement.name for statement in answers.asked] == ["find_quarantined_kinds", "release_inbox_rows"]
