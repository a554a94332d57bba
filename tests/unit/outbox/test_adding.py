"""What becomes of the records of one call, decided from rows alone."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from outrider import Catalog, Message
from outrider.core.adding import refuse_twins
from outrider.core.errors import MessageIdConflict, StorageUnavailable
from outrider.core.record import OutboxRecord, prepare
from outrider.core.steps import Row, Rows, Statement, run
from outrider.storages.postgres.log_writer import PostgresLogWriter, arrays

catalog = Catalog("orders")
catalog.declare("order.placed", owner="orders")
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def record(number: int, content: int | None = None) -> OutboxRecord:
    message = Message("order.placed", {"n": number if content is None else content})
    new_id = UUID(int=number + (7 << 76) + (2 << 62))
    return prepare(message, catalog=catalog, service="orders", now=NOW, new_id=new_id, encode_event=lambda event: event)


def stored(one: OutboxRecord, log_id: int) -> Row:
    return (one.message_id, log_id, one.type, one.version, one.topic, one.key, one.payload)


class Answers:
    """A database that gives prepared answers by the statement's name, and notes what it was asked."""

    def __init__(self, **rows: Rows) -> None:
        self._rows = rows
        self.asked: list[tuple[str, Any]] = []

    def __call__(self, statement: Statement) -> Rows:
        self.asked.append((statement.name, statement.params))
        return self._rows.get(statement.name, ())


def test_a_twin_that_commits_in_between_takes_the_others_back() -> None:
    """OB-9, OB-11: the statement looked before it waited; what it wrote then goes again."""
    first, second = record(1), record(2)
    answers = Answers(add_messages=[(first.message_id, 7)], stored_messages=[stored(record(2, content=9), 8)])
    with pytest.raises(MessageIdConflict):
        run(PostgresLogWriter().append([first, second]), answers)
    assert [name for name, _ in answers.asked] == ["add_messages", "stored_messages", "withdraw_messages"]
    assert answers.asked[-1][1] == {"log_ids": [7]}


def test_the_same_message_is_found_where_it_was() -> None:
    """OB-11: in the order given, each with its log id."""
    first, second = record(1), record(2)
    answers = Answers(add_messages=[(second.message_id, 9)], stored_messages=[stored(first, 3)])
    added = run(PostgresLogWriter().append([first, second, second]), answers)
    assert [(one.log_id, one.created) for one in added] == [(3, False), (9, True), (9, False)]


def test_a_message_pruned_in_between_is_tried_again() -> None:
    """OB-11: neither written nor there: the caller tries again."""
    with pytest.raises(StorageUnavailable) as caught:
        run(PostgresLogWriter().append([record(1)]), Answers())
    assert caught.value.retryable


def test_twins_of_one_call_must_be_equal() -> None:
    """OB-9: found before anything is written."""
    refuse_twins([record(1), record(2), record(1)])
    with pytest.raises(MessageIdConflict):
        refuse_twins([record(1), record(2), record(1, content=5)])


def test_what_is_the_same_for_all_is_sent_once() -> None:
    """OB-9: columns of NULL and columns of one value are no arrays."""
    params = arrays([record(1), record(2)])
    assert params["types"] is params["headers"] is params["message_keys"] is None
    assert (params["one_type"], params["one_max_retry"]) == ("order.placed", 20)
    mixed = arrays([record(1), record(2)._replace(version=2, subject="other", headers={"a": "b"})])
    assert (mixed["versions"], mixed["one_version"]) == ([1, 2], None)
    assert (mixed["own_subjects"], mixed["subjects"]) == (True, [None, "other"])
    assert mixed["headers"] == [None, '{"a":"b"}']
