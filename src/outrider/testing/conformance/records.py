"""Record stores: accepting. A subclass gives the fixture `harness`.

Source: spec/notification.md NT-1 to NT-8, §14.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from outrider.core.notification.content import Priority
from outrider.core.notification.request import ENDED, NotificationRequest, Route
from outrider.core.steps import Statement, Steps, run
from outrider.notification.states import Status
from outrider.notification.store import rows
from outrider.notification.store.accepting import accept
from outrider.notification.store.inbox import count_unread, list_items
from outrider.testing.conformance.records_desk import (
    BOT,
    DOWN,
    INBOX,
    PAST,
    REFUSED,
    Desk,
    request,
)  # fmt: skip
from outrider.testing.conformance.storage_harness import StorageHarness

HOUR = timedelta(hours=1)


def duplicates(scope: bytes) -> Steps[int]:
    """How many duplicates a scope has seen."""
    found = yield Statement("read_notification_scope", {"scope_hash": scope})
    return int(found[0][2])


class AcceptingSuite:
    """Requests become records once."""

    async def test_request_is_whole_after_restart(self, harness: StorageHarness) -> None:
        """NT-2, NT-8: every field has its column, on every database."""
        first, again = await Desk.open(harness), await Desk.open(harness, "two")
        asked = request(
            correlation_id="c", causation_id="z", trace_id="t", dedupe_key="K ü ✓ k", title="Tïtle 😀", summary_text="s\nü",
            fallback_text="f", data={"a": 1, "b": None, "c": "ü", "d": 1.5, "e": True}, priority=Priority.LOW, locale="en",
            deliver_at=PAST + 40 * HOUR, expires_at=None,
        )  # fmt: skip
        made = await first.accept_one(asked)
        await first.close()
        found = await again.read(made.id)
        assert replace(found, created_at=made.created_at, updated_at=made.updated_at) == made
        assert replace(found.request(), route=BOT, expires_at=None) == asked
        assert found.route == BOT
        await again.close()

    async def test_accepted_in_the_callers_transaction(self, harness: StorageHarness) -> None:
        """NT-1: with what else it writes, or not at all; by any driver that an application uses."""
        desk = await Desk.open(harness)
        await desk.give_address()
        asked = request(route=Route(always=("inbox",), first_of=("bot",)), data={"a": 1})
        await self._accept_in(harness, desk, asked, "rollback")
        assert await desk.run(rows.read_of_request(asked.request_id)) == []
        made = await self._accept_in(harness, desk, asked, "commit")
        known = await desk.run(rows.read_of_request(asked.request_id))
        assert {one.id for one in known} == made
        assert {(one.channel, one.status) for one in known} == {("inbox", "sent"), ("bot", "pending")}
        assert await desk.run(count_unread("anna")) == 1
        await desk.close()

    async def _accept_in(self, harness: StorageHarness, desk: Desk, asked: NotificationRequest, ends: str) -> set[UUID]:
        writer = harness.writer()
        writer.begin()
        made = run(accept(desk.rules, asked), writer.execute)
        getattr(writer, ends)()
        writer.close()
        return {one.record.id for one in made}

    async def test_found_by_dedupe_key(self, harness: StorageHarness) -> None:
        """NT-3: newest first."""
        desk = await Desk.open(harness)
        made = [await desk.accept_one(request(dedupe_key="k", subject_id=str(number))) for number in range(3)]
        await desk.accept_one(request(dedupe_key="other"))
        found = await desk.run(rows.find("bot", "k"))
        assert [one.id for one in found] == [one.id for one in reversed(made)]
        assert await desk.run(rows.find("mail", "k")) == []
        await desk.close()

    async def test_sent_record_short_circuits(self, harness: StorageHarness) -> None:
        """NT-4, NT-5, NT-49: a sent holder answers, and nothing is sent again."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        await desk.send()
        (again,) = await desk.accept(request(target_url="/new"))
        assert (again.reused, again.superseded, again.record.id, again.record.status) == (True, False, made.id, "sent")
        assert await desk.claim() == []
        await desk.close()

    async def test_event_resets_no_attempt(self, harness: StorageHarness) -> None:
        """NT-1, NT-2, NT-49: neither attempts nor due time."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        failed = (await desk.send(DOWN)).record
        (again,) = await desk.accept(request(notification_id=str(made.id)))
        assert again.reused
        assert (again.record.attempt_count, again.record.next_retry_at) == (1, failed.next_retry_at)
        assert (await desk.read(made.id)).status == Status.FAILED
        await desk.close()

    async def test_redelivery_honours_next_retry_at(self, harness: StorageHarness) -> None:
        """NT-1, NT-6: the same message again makes nothing and sends nothing, in its window and after it."""
        desk = await Desk.open(harness, dedupe_window=timedelta(microseconds=1))
        await desk.give_address()
        asked = request()
        made = await desk.accept_one(asked)
        await desk.send(DOWN)
        (again,) = await desk.accept(asked)
        assert (again.reused, again.record.id) == (True, made.id)
        assert await desk.claim() == []
        await desk.close()

    async def test_concurrent_accepts_one_record(self, harness: StorageHarness) -> None:
        """NT-4: one winner, on every channel of the route."""
        desks = [await Desk.open(harness, str(number)) for number in range(4)]
        route = Route(always=("inbox",), first_of=("bot",))
        found = await asyncio.gather(*(desk.accept(request(route=route)) for desk in desks))
        assert sorted(one.reused for accepted in found for one in accepted) == [False, False, *[True] * 6]
        assert len({one.record.id for accepted in found for one in accepted}) == 2  # noqa: PLR2004  one a channel
        for desk in desks:
            await desk.close()

    async def test_other_subject_same_key_not_swallowed(self, harness: StorageHarness) -> None:
        """NT-3: kind and subject are always part of the scope."""
        desk = await Desk.open(harness)
        changes = [{"subject_id": "2"}, {"subject_type": "plan"}, {"kind": "other"}, {"recipient_id": "bob"}, {}]
        made = [await desk.accept(request(dedupe_key="k", **one)) for one in changes]
        assert not any(one.reused for (one,) in made)
        await desk.close()

    async def test_window_slides(self, harness: StorageHarness) -> None:
        """NT-4: from the first request on; afterwards the scope goes to the next."""
        desk = await Desk.open(harness, dedupe_windows={"quick": timedelta(microseconds=1)})
        first = await desk.accept_one(request(kind="quick"))
        (second,) = await desk.accept(request(kind="quick"))
        assert not second.reused
        assert second.record.id != first.id
        kept = await desk.accept_one(request())
        assert (await desk.accept_one(request())).id == kept.id
        await desk.close()

    async def test_a_scope_may_last_as_long_as_its_record(self, harness: StorageHarness) -> None:
        """NT-49: an original event never slides past its holder; `dead` and `canceled` free it all the same."""
        desk = await Desk.open(harness, dedupe_window=timedelta(microseconds=1))
        await desk.give_address()
        made = await desk.accept_one(request(permanent_scope=True))
        await desk.send()
        (again,) = await desk.accept(request(permanent_scope=True))
        assert (again.reused, again.record.id, again.record.status) == (True, made.id, "sent")
        await desk.change(made.id, status="canceled")
        assert not (await desk.accept(request(permanent_scope=True)))[0].reused
        await desk.close()

    async def test_a_named_record_answers(self, harness: StorageHarness) -> None:
        """NT-2: a `notification_id` of this channel and scope names its record, whatever its window; another is ignored."""
        desk = await Desk.open(harness, dedupe_window=timedelta(microseconds=1))
        await desk.give_address()
        made = await desk.accept_one(request())
        await desk.send(REFUSED)
        (named,) = await desk.accept(request(notification_id=str(made.id)))
        assert (named.reused, named.record.status) == (True, "dead")
        for other in (str(request().request_id), "17", str(made.request_id)):
            (fresh,) = await desk.accept(request(notification_id=other, subject_id=other))
            assert not fresh.reused
        await desk.close()

    async def test_duplicate_is_counted(self, harness: StorageHarness) -> None:
        """NT-5: on the scope."""
        desk = await Desk.open(harness)
        made = await desk.accept_one(request())
        for _ in range(3):
            (again,) = await desk.accept(request())
            assert (again.reused, again.superseded) == (True, False)
        assert await desk.run(duplicates(made.scope_hash)) == 3  # noqa: PLR2004  those three
        await desk.close()

    async def test_unsent_record_takes_newer_link(self, harness: StorageHarness) -> None:
        """NT-5: texts, data, link; an attempted one keeps what the person may have got."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request(target_url="/old"))
        (newer,) = await desk.accept(request(target_url="/new", title="t", data={"n": 2}))
        assert (newer.superseded, newer.record.id, newer.record.target_url) == (True, made.id, "/new")
        stored = await desk.read(made.id)
        assert (stored.target_url, stored.title, stored.data) == ("/new", "t", {"n": 2})
        await desk.send(DOWN)
        (late,) = await desk.accept(request(target_url="/newest"))
        assert (late.reused, late.superseded) == (True, False)
        assert (await desk.read(made.id)).target_url == "/new"
        await desk.close()

    async def test_dead_holder_frees_scope(self, harness: StorageHarness) -> None:
        """NT-4: an ended one that told nobody."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        ended = (await desk.send(REFUSED)).record
        assert (ended.status, ended.next_retry_at, ended.lease_owner) == ("dead", None, None)
        (again,) = await desk.accept(request())
        assert not again.reused
        assert again.record.id != made.id
        await desk.close()

    async def test_keys_compare_binary(self, harness: StorageHarness) -> None:
        """NT-3: case, width and trailing marks are differences."""
        desk = await Desk.open(harness)
        keys = ["straße", "STRASSE", "strasse", "Strasse", "é", "e\u0301", "k", "k\u00a0", "\uff4b"]
        made = [await desk.accept(request(dedupe_key=key)) for key in keys]
        assert not any(one.reused for (one,) in made)
        assert [len(await desk.run(rows.find("bot", key))) for key in keys] == [1] * len(keys)
        await desk.accept_one(request(recipient_id="Anna"))
        await desk.close()

    async def test_inbox_exactly_once(self, harness: StorageHarness) -> None:
        """NT-1, NT-6, NT-7: the item commits with the record, which is sent at once; a repeat adds none."""
        desk = await Desk.open(harness)
        asked = request(route=INBOX)
        made = await desk.accept_one(asked)
        assert (made.status, made.attempt_no, made.next_retry_at) == ("sent", 0, None)
        assert (await desk.read(made.id)).sent_at is not None
        await desk.accept(asked)
        await desk.accept(request(route=INBOX))
        (item,) = await desk.run(list_items("anna", 10))
        assert (item.record_id, item.title, item.action_url, item.read_at) == (made.id, "title", "/tasks/1", None)
        assert await desk.run(count_unread("anna")) == 1
        assert [(type_, body["status"]) for type_, _, body in desk.announced] == [(ENDED, "sent")]
        await desk.close()
