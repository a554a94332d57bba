"""Every kind of caller's transaction is joined, never begun, committed or rolled back."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from outrider import Message, MessageState
from outrider.core.errors import MessageIdConflict, MessageNotFound, NoTransaction, OutriderError, WrongDatabase
from outrider.core.events import MessageAdded, TraceDropped
from outrider.testing.schema import create_tables
from tests.contract.transactions.callers import KINDS, PREFIX, Caller, name_of

Look = Callable[[str], list[tuple[Any, ...]]]
LOGGED = "SELECT id FROM orders_outbox_message ORDER BY id"
ID = UUID("01900000-0000-7000-8000-000000000001")
CLOSABLE = [kind for kind in KINDS if "Session" not in kind.kind]  # a closed Session opens itself again
SEVERAL_WRITERS = [kind for kind in KINDS if kind.database != "sqlite"]  # there a twin waits for BEGIN IMMEDIATE


def placed(number: int = 17, **fields: Any) -> Message:  # noqa: ANN401 - any field
    return Message("order.placed", {"n": number}, key=f"order-{number}", **fields)


async def test_what_commits_is_there_and_add_commits_nothing(caller: Caller, look: Look) -> None:
    """OB-8: `add` joins the caller's transaction and ends it in no way."""
    (added,) = await caller.add(placed())
    assert added.created
    assert look(LOGGED) == []
    await caller.commit()
    assert look(LOGGED) == [(added.log_id,)]


async def test_what_rolls_back_leaves_nothing(caller: Caller, look: Look) -> None:
    """OB-2, OB-8: neither the row nor the message stays."""
    await caller.sql("CREATE TABLE mine (id int)")
    await caller.commit()
    await caller.begin()
    await caller.sql("INSERT INTO mine VALUES (1)")
    await caller.add(placed())
    await caller.rollback()
    assert look(LOGGED) == look("SELECT id FROM mine") == []


async def test_what_a_savepoint_rolls_back_leaves_nothing(caller: Caller, look: Look) -> None:
    """OB-2: the message of a savepoint goes with it, that of the transaction stays."""
    (kept,) = await caller.add(placed(1))
    await caller.savepoint()
    await caller.add(placed(2), placed(3))
    await caller.rollback_to_savepoint()
    (also,) = await caller.add(placed(4))
    await caller.commit()
    assert look(LOGGED) == [(kept.log_id,), (also.log_id,)]


async def test_log_ids_rise_in_the_order_given(caller: Caller, look: Look) -> None:
    """OB-9: a thousand messages of one call."""
    added = await caller.add(*(placed(n) for n in range(1000)))
    await caller.commit()
    ids = [one.log_id for one in added]
    assert ids == sorted(set(ids))
    keys = look("SELECT message_key FROM orders_outbox_message ORDER BY id")
    assert keys == [(f"order-{n}",) for n in range(1000)]


async def test_every_field_comes_back(caller: Caller) -> None:
    """OB-9: one message and several take different ways into the table, and give the same row."""
    fields: dict[str, Any] = {
        "subject": "the-order", "headers": {"a": "ä".encode().hex()}, "max_retry": 3, "topic": "orders.extra",
        "correlation_id": "c-1", "causation_id": "d-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }  # fmt: skip
    (alone,) = await caller.add(placed(1, **fields))
    plain, rich, raw = await caller.add(
        placed(1), placed(1, **fields), Message("order.counted", b"\x00\xff", content_type="application/x-own")
    )
    one, other = [await caller.call(caller.outbox.get, added.log_id) for added in (alone, rich)]
    assert one[1:15] == other[1:15]
    assert (one.subject, one.headers, one.max_retry, one.topic) == ("the-order", fields["headers"], 3, "orders.extra")
    assert one.trace == {"traceparent": fields["traceparent"]}
    simple = await caller.call(caller.outbox.get, plain.message_id)
    assert (simple.subject, simple.headers, simple.trace, simple.max_retry) == ("order-1", None, None, 20)
    body = await caller.call(caller.outbox.get, raw.message_id)
    assert (body.payload, body.content_type, body.key, body.subject) == (b"\x00\xff", "application/x-own", None, None)
    assert body.created_at.utcoffset() is not None


async def test_a_due_time_is_kept(caller: Caller) -> None:
    """OB-9: instants come back as they went in, alone and among others."""
    due = datetime.now(UTC) + timedelta(days=1)
    (alone,) = await caller.add(placed(1, deliver_at=due))
    _, among = await caller.add(placed(1), placed(1, deliver_at=due))
    for added in (alone, among):
        assert (await caller.call(caller.outbox.get, added.log_id)).deliver_at == due


async def test_same_id_and_content_is_written_once(caller: Caller, look: Look) -> None:
    """OB-11: adding again gives the same log id and created=False, also among new ones and within one call."""
    (first,) = await caller.add(placed(message_id=ID))
    (again,) = await caller.add(placed(message_id=ID))
    new, third = await caller.add(placed(18), placed(message_id=ID))
    twins = await caller.add(placed(19, idempotency_key="once"), placed(19, idempotency_key="once"))
    await caller.commit()
    assert (again.log_id, again.created) == (third.log_id, third.created) == (first.log_id, False)
    assert new.created
    assert [one.created for one in twins] == [True, False]
    assert len(look(LOGGED)) == 3


@pytest.mark.parametrize("count", [1, 3])
async def test_same_id_with_other_content_writes_nothing(caller: Caller, look: Look, count: int) -> None:
    """OB-11, OB-87: a conflict leaves nothing of its call, and the transaction stays usable."""
    (first,) = await caller.add(placed(message_id=ID))
    others = [placed(n) for n in range(count - 1)]
    with pytest.raises(MessageIdConflict):
        await caller.add(*others, placed(99, message_id=ID))
    with pytest.raises(MessageIdConflict):
        await caller.add(placed(1, idempotency_key="twice"), placed(2, idempotency_key="twice"))
    (last,) = await caller.add(placed(5))
    await caller.commit()
    assert look(LOGGED) == [(first.log_id,), (last.log_id,)]


BAD: tuple[tuple[Message, str], ...] = (
    (Message("order.placed", None), "message.invalid"),
    (Message("order.placed", {"n": float("nan")}), "message.invalid"),
    (Message("order.placed", {"n": {1, 2}}), "message.invalid"),
    (Message("order.counted", "x" * 30_000), "message.too_large"),
    (Message("order.placed", {}, headers={"ce-id": "1"}), "message.invalid"),
    (Message("order.lost", {}), "route.unregistered"),
    (Message("invoice.opened", {}), "route.foreign"),
    (Message("order.placed", {}, topic="elsewhere"), "route.destination"),
    (Message("order.placed", {}, version=0), "message.invalid"),
    (Message("order.placed", {}, max_retry=-1), "message.invalid"),
    (Message("order.placed", {}, key="\x00"), "message.invalid"),
    (Message("order.placed", {}, message_id=UUID(int=0)), "message.invalid"),
)


async def test_one_bad_message_writes_none(caller: Caller, look: Look) -> None:
    """OB-9, OB-32, OB-83, OB-84, OB-85, OB-86: all or none, and the transaction stays usable."""
    for bad, code in BAD:
        with pytest.raises(OutriderError) as caught:
            await caller.add(placed(1), bad)
        assert caught.value.code == code
    (added,) = await caller.add(placed(2))
    await caller.commit()
    assert look(LOGGED) == [(added.log_id,)]


async def test_no_messages_give_an_empty_tuple(caller: Caller) -> None:
    """OB-87: nothing asked, nothing done."""
    assert await caller.add() == ()


@pytest.mark.parametrize("kind", CLOSABLE, ids=name_of, indirect=True)
async def test_without_a_transaction_nothing_is_written(caller: Caller, look: Look) -> None:
    """OB-8, OB-87: a closed connection is refused."""
    await caller.rollback()
    if caller.kind == "asyncpg pool":
        with pytest.raises(NoTransaction):
            await caller.add(placed())
        return
    await caller.close()
    with pytest.raises(NoTransaction):
        await caller.add(placed())
    assert look(LOGGED) == []


async def test_a_database_without_the_tables_is_refused(kind: type[Caller], empty_url: str) -> None:
    """OB-8, OB-99: WrongDatabase, and the transaction stays usable."""
    caller = kind(empty_url)
    try:
        await caller.begin()
        with pytest.raises(WrongDatabase):
            await caller.add(placed())
        assert await caller.sql("SELECT 1") == [(1,)]
    finally:
        await caller.close()


async def test_another_instance_is_refused(
    kind: type[Caller], caller: Caller, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """OB-99: the outbox writes to the instance that it met first, and to no other."""
    await caller.add(placed())
    await caller.commit()
    if kind.database == "sqlite":
        url = f"sqlite:///{tmp_path / 'other.db'}"
    else:
        server = request.getfixturevalue("mariadb_server" if kind.database == "mysql" else "postgres_server")
        url = server.create_database(f"other_{tmp_path.name}".lower()[:60])
    create_tables(url, PREFIX)
    other = kind(url)
    other.outbox = caller.outbox
    try:
        await other.begin()
        with pytest.raises(WrongDatabase):
            await other.add(placed())
        assert await other.sql("SELECT 1") == [(1,)]
    finally:
        await other.close()


@pytest.mark.parametrize("kind", SEVERAL_WRITERS, ids=name_of, indirect=True)
async def test_a_concurrent_twin_is_waited_for(caller: Caller, second: Caller) -> None:
    """OB-11: the second of two open twins waits for the first, then finds it written."""
    (first,) = await caller.add(placed(message_id=ID))
    await second.begin()
    await second.sql("SET innodb_lock_wait_timeout = 1" if caller.database == "mysql" else "SET lock_timeout = '100ms'")
    with pytest.raises(Exception, match=r"(?i)lock (wait )?timeout"):
        await second.add(placed(message_id=ID))
    await second.rollback()
    await second.begin()
    if caller.is_async:
        twin = asyncio.ensure_future(second.add(placed(message_id=ID)))
        await asyncio.sleep(0)
        await caller.commit()
        (found,) = await twin
    else:
        await caller.commit()
        (found,) = await second.add(placed(message_id=ID))
    assert (found.log_id, found.created) == (first.log_id, False)


async def test_what_was_added_is_told(caller: Caller) -> None:
    """OB-93: MessageAdded counts what was given and what is new."""
    await caller.add(placed(message_id=ID))
    await caller.add(placed(message_id=ID), placed(2))
    told = caller.sink.of(MessageAdded)
    assert [(one.service, one.messages, one.created) for one in told] == [("orders", 1, 1), ("orders", 2, 1)]


async def test_a_malformed_trace_is_counted_and_stops_nothing(caller: Caller) -> None:
    """Spec §3, OB-93: such a message is added without its trace, and TraceDropped says how many there were."""
    good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await caller.add(placed(1), placed(2, traceparent=good))
    assert caller.sink.of(TraceDropped) == []
    added = await caller.add(*(placed(n, traceparent=parent) for n, parent in enumerate(("x", good, "00-0-0-0"), 3)))
    assert [one.created for one in added] == [True, True, True]
    assert [(one.service, one.messages) for one in caller.sink.of(TraceDropped)] == [("orders", 2)]


async def test_status_and_due_see_the_transaction(caller: Caller) -> None:
    """OB-24, OB-82: a message that nobody has read is pending and due; an unknown one is not found."""
    (added,) = await caller.add(placed())
    for name in (added.message_id, added.log_id):
        status = await caller.call(caller.outbox.status, name)
        assert (status.state, status.log_id, status.key) == (MessageState.PENDING, added.log_id, "order-17")
        assert (status.message_id, status.service, status.max_retry) == (added.message_id, "orders", 20)
    assert [due.log_id for due in await caller.call(caller.outbox.due, 0)] == [added.log_id]
    for unknown in (ID, 10**6):
        with pytest.raises(MessageNotFound):
            await caller.call(caller.outbox.status, unknown)
        with pytest.raises(MessageNotFound):
            await caller.call(caller.outbox.get, unknown)


async def test_a_hook_wakes_after_the_commit_alone(caller: Caller) -> None:
    """OB-43: once a transaction that added something and committed; elsewhere the caller says `wake()`."""
    calls: list[int] = []
    parts = caller.outbox._parts
    object.__setattr__(parts, "wakeup", type("Counted", (), {"wake": lambda self: calls.append(1)})())  # noqa: ARG005
    await caller.add(placed(1))
    await caller.rollback()
    await caller.begin()
    await caller.add(placed(1, message_id=ID))
    await caller.add(placed(2))
    assert calls == []
    await caller.commit()
    if "Connection" in caller.kind:  # told when the connection goes back to its pool
        await caller.close()
    assert len(calls) == (1 if caller.has_hook else 0)
