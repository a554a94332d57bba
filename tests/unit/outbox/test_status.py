"""The precedence of states, from what is known of each reader."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from outrider.core.errors import MessageNotFound
from outrider.core.status import MessageState, Reader, ReaderStatus, decide, read_status
from outrider.core.steps import Row, Rows, Statement, run

PENDING, PUBLISHED, CONSUMED, DEAD = MessageState
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID = UUID("01900000-0000-7000-8000-000000000001")
NO_ROW: Row = (None,) * 9
MESSAGE: Row = (7, ID, "order.placed", "orders", "order-17", 20, AT, '["billing"]')


def line(name: str, kind: Reader, state: MessageState) -> ReaderStatus:
    return ReaderStatus(name, kind, state, settled_at=AT)


RELAY = {state: line("relay", "relay", state) for state in (PENDING, PUBLISHED, DEAD)}
HANDLER = {state: line("billing", "handler", state) for state in (PENDING, PUBLISHED, DEAD)}
BILLING = {state: line("billing", "consumer", state) for state in (PENDING, CONSUMED, DEAD)}
STRANGER = {state: line("stranger", "consumer", state) for state in (PENDING, CONSUMED, DEAD)}


@pytest.mark.parametrize(
    ("lines", "expected", "state"),
    [
        ([], "billing", PENDING),
        ([RELAY[PENDING]], "billing", PENDING),
        ([RELAY[PUBLISHED]], "billing", PUBLISHED),
        ([RELAY[DEAD]], "billing", DEAD),
        ([RELAY[DEAD], BILLING[CONSUMED]], "billing", CONSUMED),
        ([RELAY[PENDING], BILLING[CONSUMED]], "billing", CONSUMED),
        ([RELAY[PUBLISHED], BILLING[DEAD]], "billing", DEAD),
        ([RELAY[PUBLISHED], BILLING[PENDING]], "billing", PUBLISHED),
        ([RELAY[PUBLISHED], STRANGER[CONSUMED]], "billing", PUBLISHED),
        ([RELAY[PUBLISHED], STRANGER[DEAD]], "billing", PUBLISHED),
        ([RELAY[PUBLISHED], STRANGER[CONSUMED]], "", CONSUMED),
        ([RELAY[PUBLISHED], STRANGER[DEAD]], "", DEAD),
        ([HANDLER[PENDING]], "billing", PENDING),
        ([HANDLER[PUBLISHED]], "billing", PUBLISHED),
        ([HANDLER[DEAD]], "billing", DEAD),
        ([HANDLER[DEAD], BILLING[CONSUMED]], "billing", CONSUMED),
        ([RELAY[PUBLISHED], HANDLER[PENDING]], "billing", PUBLISHED),
        ([RELAY[PENDING], HANDLER[PUBLISHED]], "billing", PENDING),
        ([RELAY[PUBLISHED], BILLING[CONSUMED]], "billing shipping", PUBLISHED),
    ],
)
def test_precedence(lines: list[ReaderStatus], expected: str, state: MessageState) -> None:
    """OB-23: consumed, then dead, pending, published; relays publish, handlers where there is no relay."""
    assert decide(lines, frozenset(expected.split()))[0] is state


def answers(**rows: Rows) -> MessageState:
    """The state that `read_status` derives from these answers; a statement without one gives no rows."""

    def execute(statement: Statement) -> Rows:
        return rows.get(statement.name, ())

    return run(read_status("orders", ID), execute).state


def test_a_pruned_message_with_a_receipt_is_consumed() -> None:
    """OB-23: receipts outlive the log."""
    assert answers(status_consumers=[("billing", AT, *NO_ROW)]) is CONSUMED
    with pytest.raises(MessageNotFound):
        answers(status_consumers=[("billing", None, "dead", *NO_ROW[1:])])
    with pytest.raises(MessageNotFound):
        answers()


def test_single_values_are_those_of_the_row_that_decides() -> None:
    """OB-24: a consumer's retry leaves the state published; the relay's own values are shown."""
    row = ("retrying", 3, 20, AT, "handler.failed", "boom", AT + timedelta(seconds=9), None, None)
    done = ("done", 2, 5, None, "publish.refused", "no", AT, AT + timedelta(seconds=1), "delivered")
    rows = {
        "status_message": [MESSAGE],
        "status_subscriptions": [("relay", "relay", True, None, *done)],
        "status_consumers": [("billing", None, *row)],
    }
    status = run(read_status("orders", ID), lambda statement: rows[statement.name])
    assert (status.state, status.retry_count, status.max_retry, status.resolution) == (PUBLISHED, 2, 5, "delivered")
    assert status.published_at == AT + timedelta(seconds=1)
    assert status.updated_at == AT + timedelta(seconds=9)
    assert [(one.name, one.status, one.retry_count) for one in status.deliveries] == [
        ("relay", "done", 2),
        ("billing", "retrying", 3),
    ]
