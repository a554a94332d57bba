"""Operators' verbs on PostgreSQL and SQLite: pages, changes by compare-and-set, their audit."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from outrider.admin.operations import Operations
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import Site, make_subscription, site
from outrider.core.audit import AuditFilter
from outrider.core.errors import MessageNotFound, OperationRefused
from outrider.core.events import DestinationPaused, MessageDiscarded, MessageReplayed
from outrider.core.operations import Filter
from outrider.core.steps import Rows, Statement, Steps
from outrider.core.subscriptions import find_subscription
from outrider.testing.events import EventSink

ROWS = {
    "sqlite": {
        "message": "INSERT INTO orders_outbox_message (message_id, type, version, topic, message_key, key_hash, payload,"
        " content_type, max_retry, created_at) SELECT randomblob(16), 't', 1, 'topic', :key, 1, x'00', 'x', 20, :now",
        "exception": "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash,"
        " status, cause, max_retry, attempts, error_code, updated_at, next_retry_at) SELECT 1, id, message_id, topic,"
        " message_key, key_hash, :status, :cause, 20, 3, 'publish.refused', :now, :now FROM orders_outbox_message"
        " WHERE id = :id",
        "audit": "INSERT INTO orders_outrider_audit (at, actor, verb, filter, affected, reason) VALUES"
        " (:at, 'ann', 'replay', '{}', 1, :number)",
        "consumer": "INSERT INTO orders_inbox_consumer (id, name) VALUES (1, 'billing')",
        "inbox": "INSERT INTO orders_inbox_delivery (consumer_id, message_id, origin, topic, message_key, key_hash,"
        " fingerprint, type, version, content_type, body, received_at, status, cause, max_retry, updated_at) SELECT 1,"
        " message_id, 'x', topic, message_key, key_hash, 1, type, 1, 'x', payload, :now, 'dead', 'handler', 20, :now"
        " FROM orders_outbox_message WHERE id = :id",
        "passed": "UPDATE orders_outbox_cursor SET last_id = 100",
    },
    "postgresql": {
        "message": "INSERT INTO orders_outbox_message (message_id, type, version, topic, message_key, key_hash, payload,"
        " content_type, max_retry) SELECT gen_random_uuid(), 't', 1, 'topic', :key, 1, 'x', 'x', 20",
        "exception": "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash,"
        " status, cause, max_retry, attempts, error_code, next_retry_at) SELECT 1, id, message_id, topic, message_key,"
        " key_hash, :status, :cause, 20, 3, 'publish.refused', now() FROM orders_outbox_message WHERE id = :id",
        "audit": "INSERT INTO orders_outrider_audit (at, actor, verb, filter, affected, reason) VALUES"
        " (:at, 'ann', 'replay', '{}', 1, :number)",
        "consumer": "INSERT INTO orders_inbox_consumer (id, name) VALUES (1, 'billing')",
        "inbox": "INSERT INTO orders_inbox_delivery (consumer_id, message_id, origin, topic, message_key, key_hash,"
        " fingerprint, type, version, content_type, body, status, cause, max_retry) SELECT 1, message_id, 'x', topic,"
        " message_key, key_hash, 1, type, 1, 'x', payload, 'dead', 'handler', 20 FROM orders_outbox_message"
        " WHERE id = :id",
        "passed": "UPDATE orders_outbox_cursor SET done = pg_current_snapshot(), target = pg_current_snapshot()",
    },
}


class Desk:
    """A service's tables with planted rows, and the verbs on them."""

    def __init__(self, made: Site) -> None:
        self.site = made
        self.sink = EventSink()
        self.verbs = Operations("orders", made.storage, actor="ann", clock=made.clock, telemetry=self.sink)
        texts = ROWS["sqlite" if made.settings.database.url.startswith("sqlite") else "postgresql"]
        known = vars(made.texts)["_texts"]
        known |= {f"plant_{name}": text for name, text in texts.items()}
        known["look"] = (
            "SELECT log_id, status, attempts, generation, resolution FROM orders_outbox_delivery ORDER BY log_id"
        )
        known["audits"] = (
            "SELECT actor, verb, CAST(filter AS text), affected, reason FROM orders_outrider_audit ORDER BY at"
        )
        known["waiting_for_locks"] = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        known["bury"] = "UPDATE orders_outbox_delivery SET status = 'done', resolution = 'delivered' WHERE log_id = :id"

    async def do(self, name: str, **params: object) -> Rows:
        def one() -> Steps[Rows]:
            return (yield Statement(name, params))

        async with self.site.session() as session:
            return list(await session.run(one()))

    async def plant(self, *exceptions: tuple[str, str, str]) -> None:
        """Messages 1, 2, … each with (key, status, cause) of its exception row; an empty status leaves it without."""
        for number, (key, status, cause) in enumerate(exceptions, 1):
            await self.do("plant_message", key=key)
            if status:
                await self.do("plant_exception", id=number, status=status, cause=cause)


@pytest.fixture(params=["sqlite", "postgresql"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/shop.db" if sqlite else request.getfixturevalue("postgres_url")
    made = site(make({"service.name": "orders", "database.url": url, "broker.url": "memory:"}))
    migrate(made.settings, "orders_")
    async with made.session() as session:
        await make_subscription(made, session)
        found = await session.run(find_subscription("relay"))
    assert found is not None
    assert found.id == 1
    return Desk(made)


async def test_pages_are_stable_while_rows_come_and_go(desk: Desk) -> None:
    """OB-79: pages of at most 200 with a stable cursor."""
    await desk.plant(*[("k", "dead", "refused")] * 7)
    first = await desk.verbs.dead(limit=3)
    await desk.verbs.discard(Filter(log_id=2), reason="x")
    await desk.do("plant_message", key="late")
    rest = await desk.verbs.dead(cursor=first.next_cursor, limit=200)
    assert [line.row_id for line in (*first.items, *rest.items)] == [1, 2, 3, 4, 5, 6, 7]
    assert rest.next_cursor is None
    newest = await desk.verbs.messages(limit=2)
    assert [line.log_id for line in newest.items] == [8, 7]
    for wrong in ("x", "1.2", "5.1.1", "-1", "1" * 30):
        with pytest.raises(OperationRefused):
            await desk.verbs.dead(cursor=wrong)
    with pytest.raises(OperationRefused):
        await desk.verbs.messages(limit=201)


async def test_filters_choose_rows(desk: Desk) -> None:
    """OB-80: each filter alone."""
    await desk.plant(("a", "dead", "refused"), ("b", "quarantined", "hold"), ("c", "retrying", "refused"))
    chosen = {
        Filter(state="dead"): [1], Filter(message_key="b"): [2], Filter(cause="hold"): [2], Filter(code="nope"): [],
        Filter(consumer="relay"): [1, 2], Filter(destination="topic"): [1, 2], Filter(type="u"): [],
        Filter(min_attempts=4): [], Filter(since=desk.site.clock.now() + timedelta(hours=1)): [],
        Filter(until=desk.site.clock.now() + timedelta(hours=1)): [1, 2], Filter(log_id=1): [1],
    }  # fmt: skip
    for wanted, ids in chosen.items():
        assert [line.row_id for line in (await desk.verbs.dead(wanted)).items] == ids, wanted
    assert [line.log_id for line in (await desk.verbs.messages(Filter(state="dead"))).items] == [1]
    assert [line.log_id for line in (await desk.verbs.messages(Filter(cause="hold"))).items] == [2]
    assert (await desk.verbs.messages(Filter(consumer="billing", type="t"))).items == []


async def test_a_change_needs_filter_and_reason_and_a_dry_run_changes_nothing(desk: Desk) -> None:
    """OB-79: reason, filter, dry run, audit of who, what, how many."""
    await desk.plant(("a", "dead", "refused"), ("b", "dead", "refused"))
    with pytest.raises(OperationRefused, match="filter"):
        await desk.verbs.replay(Filter(), reason="x")
    with pytest.raises(OperationRefused, match="why"):
        await desk.verbs.replay(Filter(state="dead"), reason="  ")
    dry = await desk.verbs.replay(Filter(state="dead"), dry_run=True)
    assert (dry.matched, dry.changed) == (2, 2)
    assert [row[1] for row in await desk.do("look")] == ["dead", "dead"]
    assert await desk.do("audits") == []
    await desk.verbs.replay(Filter(state="dead"), reason="password=hunter2 is right now")
    ((actor, verb, wanted, affected, reason),) = await desk.do("audits")
    assert (actor, verb, json.loads(wanted), affected) == ("ann", "replay", {"state": "dead"}, 2)
    assert "hunter2" not in reason
    assert [event.log_id for event in desk.sink.of(MessageReplayed)] == [1, 2]


async def test_two_replays_at_once_raise_the_generation_once(desk: Desk) -> None:
    """OB-41: compare-and-set under a lock on the cursor row: the second finds another status and does nothing."""
    await desk.plant(*[("k", "dead", "refused")] * 5)
    reports = await asyncio.gather(
        *(desk.verbs.replay(Filter(state="dead"), reason="x", rate=1_000) for _ in range(3)), return_exceptions=True
    )
    changed = sum(report.changed for report in reports if not isinstance(report, BaseException))
    assert changed == 5
    assert [row[3] for row in await desk.do("look")] == [1] * 5


async def test_a_row_that_its_owner_has_changed_is_left_alone(postgres_url: str) -> None:
    """OB-41, OB-91: the change waits for the owner's transaction, then sees that the row is another."""
    made = site(make({"service.name": "orders", "database.url": postgres_url, "broker.url": "memory:"}))
    migrate(made.settings, "orders_")
    async with made.session() as session:
        await make_subscription(made, session)
    desk = Desk(made)
    await desk.plant(("k", "dead", "refused"))

    def lock_and_bury() -> Steps[None]:
        yield Statement("lock_cursors")
        yield Statement("bury", {"id": 1})

    async with made.session() as owner:
        async with owner.transaction() as tx:
            await tx.run(lock_and_bury())
            replaying = asyncio.create_task(desk.verbs.replay(Filter(log_id=1), reason="x"))
            while not await desk.do("waiting_for_locks"):
                await asyncio.wait((replaying,), timeout=0.05)
        with pytest.raises(OperationRefused, match="changed by another"):
            await replaying
    assert await desk.do("look") == [(1, "done", 3, 0, "delivered")]


async def test_giving_up_a_held_message_lets_its_key_go_on(desk: Desk) -> None:
    """OB-27, OB-42: the next parked row of the key becomes due in the same transaction."""
    await desk.plant(("k", "dead", "hold"), ("k", "parked", "key"), ("k", "parked", "key"), ("j", "parked", "key"))
    report = await desk.verbs.discard(Filter(log_id=1), reason="x")
    assert report.changed == 1
    rows = await desk.do("look")
    assert [row[1] for row in rows] == ["done", "retrying", "parked", "parked"]
    assert rows[0][4] == "discarded"
    assert [event.log_id for event in desk.sink.of(MessageDiscarded)] == [1]


@pytest.mark.parametrize("status", ["waiting", "retrying", "done"])
async def test_only_parked_dead_and_quarantined_can_be_discarded(desk: Desk, status: str) -> None:
    """OB-79, OB-91: for another, pause its key first."""
    await desk.plant(("k", status, "refused"), ("j", "", ""))
    for log_id in (1, 2):
        with pytest.raises(OperationRefused, match="pause its key first"):
            await desk.verbs.discard(Filter(log_id=log_id), reason="x")
    with pytest.raises(MessageNotFound):
        await desk.verbs.discard(Filter(log_id=77), reason="x")
    assert [row[1] for row in await desk.do("look")] == [status]


async def test_a_person_s_pause_replaces_an_automatic_one_and_both_end_by_resume(desk: Desk) -> None:
    """OB-42: told, audited, listed until it ends."""
    await desk.do("insert_automatic_pause", broker="", topic="topic", code="publish.forbidden", reason="no")
    await desk.verbs.pause("destination", topic="topic", reason="mine")
    (pause,) = (await desk.verbs.status()).pauses
    assert (pause.automatic, pause.reason, pause.actor) == (False, "mine", "ann")
    assert [event.destination for event in desk.sink.of(DestinationPaused)] == ["topic"]
    assert await desk.verbs.resume("destination", topic="topic", reason="done")
    assert not await desk.verbs.resume("destination", topic="topic", reason="again")
    past = desk.site.clock.now() - timedelta(hours=1)
    with pytest.raises(OperationRefused, match="is over"):
        await desk.verbs.pause("key", topic="topic", subject="k", reason="short", until=past)
    await desk.do(
        "insert_pause", kind="key", broker="", topic="topic", subject="k", actor="ann", reason="short", until=past
    )
    assert (await desk.verbs.status()).pauses == [], "one that has ended by itself is not shown"


async def test_who_changed_what_is_read_back_in_stable_pages(desk: Desk) -> None:
    """OB-79: who, when, filter, count and reason of every change, newest first; a page begins where the last one ended."""
    await desk.plant(*[("k", "dead", "refused")] * 5)
    for number in range(1, 6):
        await desk.verbs.discard(Filter(log_id=number), reason=f"reason {number}")
    pages, cursor = [], None
    while True:
        page = await desk.verbs.audit(cursor=cursor, limit=2)
        pages.append([line.reason for line in page.items])
        await desk.verbs.pause("destination", topic=f"meanwhile-{len(pages)}", reason="later than the first page")
        if (cursor := page.next_cursor) is None:
            break
    assert pages == [["reason 5", "reason 4"], ["reason 3", "reason 2"], ["reason 1"]]
    (newest,) = (await desk.verbs.audit(AuditFilter(verb="discard"), limit=1)).items
    assert (newest.actor, newest.filter, newest.affected) == ("ann", {"log_id": "5"}, 1)
    assert (await desk.verbs.audit(AuditFilter(actor="bob"))).items == []
    assert (await desk.verbs.audit(AuditFilter(until=newest.at, verb="discard"))).items[0].reason == "reason 4"
    assert (await desk.verbs.audit(AuditFilter(since=newest.at, verb="discard"))).items == [newest]
    for wrong in ("x", "1", "1.2.3", "1" * 30 + ".1"):
        with pytest.raises(OperationRefused):
            await desk.verbs.audit(cursor=wrong)


async def test_changes_of_one_instant_are_paged_one_by_one(desk: Desk) -> None:
    """OB-79: the cursor stays exact where many changes have the same time."""
    at = desk.site.clock.now()
    for number in range(7):
        await desk.do("plant_audit", at=at, number=str(number))
    seen: list[str] = []
    cursor = None
    while True:
        page = await desk.verbs.audit(cursor=cursor, limit=3)
        seen += [line.reason for line in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == [str(number) for number in range(7)]


async def test_one_message_is_shown_with_its_readers_and_its_history(desk: Desk) -> None:
    """OB-79, OB-24: how far each reader is, the exception rows, and what people did to this very message."""
    await desk.plant(("k", "dead", "refused"), ("j", "dead", "refused"))
    await desk.verbs.replay(Filter(log_id=1), reason="broker is back")
    found = await desk.verbs.message(1)
    assert [(one.name, one.kind, one.status) for one in found.readers] == [("relay", "relay", "retrying")]
    assert [(one.status, one.generation) for one in found.exceptions] == [("retrying", 1)]
    assert [(one.verb, one.reason) for one in found.history] == [("replay", "broker is back")]
    await desk.verbs.discard(Filter(log_id=2), reason="x", dry_run=True)
    assert (await desk.verbs.message(2)).history == [], "a dry run is no change"


async def test_a_log_id_names_the_consumer_s_row_too(desk: Desk) -> None:
    """OB-80: `--id` by log id finds what a consumer of this database set aside."""
    await desk.plant(("k", "", ""), ("j", "", ""))
    await desk.do("plant_consumer")
    await desk.do("plant_inbox", id=2)
    assert [(line.reader, line.place) for line in (await desk.verbs.dead(Filter(log_id=2))).items] == [("billing", 1)]
    assert (await desk.verbs.dead(Filter(log_id=1))).items == []
    report = await desk.verbs.replay(Filter(log_id=2), reason="handler mended")
    assert report.changed == 1


async def test_a_pause_that_is_tried_first_changes_nothing(desk: Desk) -> None:
    """OB-79: every change has a dry run."""
    await desk.verbs.pause("key", topic="topic", subject="k", dry_run=True)
    assert (await desk.verbs.status()).pauses == []
    assert not await desk.verbs.resume("key", topic="topic", subject="k", dry_run=True)
    await desk.verbs.pause("key", topic="topic", subject="k", reason="x")
    assert await desk.verbs.resume("key", topic="topic", subject="k", dry_run=True)
    assert len((await desk.verbs.status()).pauses) == 1
    assert len((await desk.verbs.audit()).items) == 1


async def test_the_backlog_is_counted_and_dated(desk: Desk) -> None:
    """OB-79: status counts what lies before each lane."""
    await desk.plant(("a", "", ""), ("b", "parked", "key"), ("c", "", ""))
    seen = await desk.verbs.status()
    (lane,) = seen.lanes
    assert (lane.backlog, lane.subscription, lane.owner) == (3, "relay", None)
    assert lane.oldest_at is not None
    assert lane.oldest_at <= seen.at
    assert [(line.reader, line.status, line.rows) for line in seen.counts] == [("relay", "parked", 1)]


async def test_messages_are_sent_again_by_hand(desk: Desk) -> None:
    """OB-75, OB-41, OB-79: what is done or dead goes again with the next generation; reason, dry run and audit as ever."""
    await desk.plant(("a", "done", "refused"), ("b", "dead", "refused"), ("c", "parked", "key"), ("d", "", ""))
    await desk.do("plant_passed")
    with pytest.raises(OperationRefused, match="why"):
        await desk.verbs.resend(1)
    dry = await desk.verbs.resend(1, 2, 3, dry_run=True)
    assert (dry.matched, dry.changed, dry.refused) == (3, 2, 1)
    assert await desk.do("audits") == []
    report = await desk.verbs.resend("1", 2, 3, reason="topic was deleted", rate=1)
    assert (report.matched, report.changed, report.refused) == (3, 2, 1)
    assert [row[:4] for row in await desk.do("look")] == [
        (1, "retrying", 0, 1),
        (2, "retrying", 0, 1),
        (3, "parked", 3, 0),
    ]
    audited = await desk.do("audits")
    assert [(actor, verb, affected) for actor, verb, _, affected, _ in audited] == [("ann", "resend", 1)] * 2
    assert [event.log_id for event in desk.sink.of(MessageReplayed)] == [1, 2]


async def test_only_what_is_published_and_rests_is_sent_again(desk: Desk) -> None:
    """OB-41, OB-75, OB-91: refused before the relay has passed it and while it is on its way; nothing is changed."""
    await desk.plant(("a", "retrying", "refused"), ("b", "", ""))
    for log_id in (1, 2):
        with pytest.raises(OperationRefused, match="on its way"):
            await desk.verbs.resend(log_id, reason="x")
    with pytest.raises(MessageNotFound):
        await desk.verbs.resend(2, 99, reason="x")
    with pytest.raises(OperationRefused, match="at least one"):
        await desk.verbs.resend(reason="x")
    await desk.do("plant_passed")
    assert (await desk.verbs.resend(2, reason="x")).changed == 1
    assert (2, "retrying", 0, 1, None) in await desk.do("look")
    assert [row[1] for row in await desk.do("audits")] == ["resend"]
