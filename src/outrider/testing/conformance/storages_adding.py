"""Adding to the log: ids, twins, rollbacks, and what a row looks like when it is read. Source: OB-2, OB-9, OB-11."""

import threading
from datetime import UTC, datetime
from json import loads
from typing import Any
from uuid import UUID

import pytest

from outrider.core.adding import Added
from outrider.core.errors import MessageIdConflict
from outrider.core.log_row import Kind, parse_kind, rfc3339
from outrider.core.steps import Statement
from outrider.testing.conformance.reading import Reading
from outrider.testing.conformance.storage_harness import TOPIC, TYPE, StorageHarness, add, commit_messages, message

FAR = datetime(2199, 1, 1, tzinfo=UTC)
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


class AddingSuite:
    """Tests of a `LogWriter`; a subclass gives the fixture `harness`."""

    @pytest.mark.parametrize("count", [1, 2, 100])
    def test_log_ids_rise_in_the_order_given(self, harness: StorageHarness, count: int) -> None:
        """OB-9: by the insert itself, in the order given."""
        records = [message(number, "k") for number in reversed(range(count))]
        added = commit_messages(harness, *records)
        assert [one.message_id for one in added] == [record.message_id for record in records]
        assert [one.log_id for one in added] == sorted({one.log_id for one in added})
        assert all(one.created for one in added)

    def test_the_same_message_again_is_left_alone(self, harness: StorageHarness) -> None:
        """OB-11: same id, same content: `created=False`, and the log id that it has."""
        (first,) = commit_messages(harness, message(1, "k"))
        again = commit_messages(harness, message(1, "k"), message(2, "k"))
        assert again[0] == Added(first.message_id, first.log_id, created=False)
        assert again[1].created
        twice = commit_messages(harness, message(3, "k"), message(3, "k"))
        assert [one.created for one in twice] == [True, False]

    @pytest.mark.parametrize(
        "changes", [{"payload": b"x"}, {"key": "other"}, {"version": 2}, {"topic": "t"}, {"type": "y"}, {"key": None}]
    )
    def test_the_same_id_with_other_content_is_refused_and_the_transaction_lives(
        self, harness: StorageHarness, changes: dict[str, Any]
    ) -> None:
        """OB-9, OB-11: type, version, topic, key, payload; nothing of the call stays, the transaction stays usable."""
        commit_messages(harness, message(1, "k"))
        writer = harness.writer()
        writer.begin()
        for records in ([message(1, "k")._replace(**changes)], [message(2, "k"), message(1, "k")._replace(**changes)]):
            with pytest.raises(MessageIdConflict):
                add(harness, writer, *records)
        add(harness, writer, message(3, "k"))
        writer.commit()
        assert _ids(harness, range(5)) == [1, 3]

    def test_a_rollback_leaves_no_message(self, harness: StorageHarness) -> None:
        """OB-2: nor does one to a savepoint."""
        writer = harness.writer()
        writer.begin()
        add(harness, writer, message(1, "k"))
        writer.rollback()
        writer.begin()
        add(harness, writer, message(2, "k"))
        writer.savepoint()
        add(harness, writer, message(3, "k"), message(4, "k"))
        writer.back_to_savepoint()
        add(harness, writer, message(5, "k"))
        writer.commit()
        assert _ids(harness, range(7)) == [2, 5]

    async def test_a_rolled_back_message_is_never_read(self, harness: StorageHarness) -> None:
        """OB-2: it reaches no sink."""
        writer = harness.writer()
        writer.begin()
        add(harness, writer, message(1, "k"))
        writer.rollback()
        commit_messages(harness, message(2, "k"))
        reading = await Reading.open(harness)
        await reading.read_all()
        assert reading.seen == [("k", 2)]
        await reading.close()

    async def test_a_plain_message_is_read_as_a_plain_row(self, harness: StorageHarness) -> None:
        """OB-14: the row of `core.log_row`, nothing extra."""
        (added,) = commit_messages(harness, message(1, "用户-42"))
        reading = await Reading.open(harness)
        (row,) = await reading.read()
        sent = message(1, "用户-42")
        assert row[:2] == (added.log_id, str(sent.message_id))
        assert parse_kind(row[2]) == Kind(TYPE, 1, TOPIC, "application/json", 20)
        assert (row[3], bytes(row[4]), row[6]) == ("用户-42", sent.payload, None)
        sent_time = rfc3339(row[5])
        assert datetime.fromisoformat(row[5]) == datetime.fromisoformat(sent_time)
        assert (len(sent_time), sent_time[-1], datetime.fromisoformat(sent_time).tzinfo) == (27, "Z", UTC)
        await reading.close()

    async def test_what_a_message_has_beside_its_body_is_read_as_json(self, harness: StorageHarness) -> None:
        """OB-14, OB-37: headers, subject, due time and whether it lies ahead, correlation, trace."""
        sent = message(
            1,
            "k",
            subject="other",
            headers={"a": "é"},
            deliver_at=FAR,
            correlation_id="c",
            causation_id="d",
            trace=TRACE,
        )
        commit_messages(harness, sent, message(2, "k", deliver_at=datetime(2001, 1, 1, tzinfo=UTC)))
        reading = await Reading.open(harness)
        ahead, past = await reading.read()
        assert loads(ahead[6] or "") == {
            "headers": {"a": "é"},
            "subject": "other",
            "deliver_at": "2199-01-01T00:00:00.000000Z",
            "ahead": True,
            "correlation_id": "c",
            "causation_id": "d",
            **TRACE,
        }
        assert loads(past[6] or "") == {"deliver_at": "2001-01-01T00:00:00.000000Z"}
        await reading.close()

    def test_the_whole_message_is_found_by_either_id(self, harness: StorageHarness) -> None:
        """OB-8: the log keeps what was added, byte for byte."""
        sent = message(1, " k\u00a0", payload=bytes(range(256)), headers={"a": "b"}, trace=TRACE, deliver_at=FAR)
        (added,) = commit_messages(harness, sent)
        writer = harness.writer()
        writer.begin()
        (by_message_id,) = writer.execute(Statement("get_message", {"message_id": sent.message_id}))
        (by_log_id,) = writer.execute(Statement("get_message_at", {"log_id": added.log_id}))
        writer.rollback()
        assert by_message_id == by_log_id
        assert (by_message_id[0], by_message_id[4], bytes(by_message_id[7])) == (
            sent.message_id, " k\u00a0", sent.payload,
        )  # fmt: skip
        assert (loads(by_message_id[9]), loads(by_message_id[12])) == ({"a": "b"}, TRACE)
        assert by_message_id[10] == FAR
        assert by_message_id[15] == added.log_id


class ConcurrentAddingSuite(AddingSuite):
    """The same where several transactions write at a time."""

    @pytest.mark.parametrize("commits", [True, False])
    def test_a_concurrent_twin_is_waited_for(self, harness: StorageHarness, commits: bool) -> None:
        """OB-11: it is there if the other commits, and new if the other rolls back."""
        first = harness.writer()
        first.begin()
        (added,) = add(harness, first, message(1, "k"))
        asked, found = threading.Event(), list[Added]()

        def add_twin() -> None:
            twin = harness.writer()
            twin.begin()
            asked.set()
            found.extend(add(harness, twin, message(1, "k")))
            twin.commit()

        thread = threading.Thread(target=add_twin)
        thread.start()
        assert asked.wait(5.0)
        if commits:
            first.commit()
        else:
            first.rollback()
        thread.join(10.0)
        assert [one.created for one in found] == [not commits]
        assert (found[0].log_id == added.log_id) is commits


def _ids(harness: StorageHarness, numbers: range) -> list[int]:
    """Which of these messages are committed."""
    writer = harness.writer()
    writer.begin()
    found = [number for number in numbers if writer.execute(_find(message(number, "k").message_id))]
    writer.rollback()
    return found


def _find(message_id: UUID) -> Statement:
    return Statement("get_message", {"message_id": message_id})
