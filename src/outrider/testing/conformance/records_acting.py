"""Record stores: reopening, and what people do. A subclass gives the fixture `harness`.

Source: spec/notification.md NT-30, NT-31, NT-44, NT-47, NT-52, §14.
"""

from datetime import UTC, datetime, timedelta

import pytest

from outrider.core.errors import StateConflict, VersionMismatch
from outrider.core.notification.codes import Code
from outrider.core.notification.request import ENDED, Route
from outrider.notification.reopening import ReplayMode
from outrider.notification.states import Status
from outrider.notification.store import acting, destinations, inbox, people, rows
from outrider.notification.store.beginning import Begun, NeverBegun, skip, tell
from outrider.testing.conformance.records_desk import (
    FALL_BACK,
    GONE,
    INBOX,
    OK,
    PAST,
    REFUSED,
    Desk,
    destination_of,
    request,
)  # fmt: skip
from outrider.testing.conformance.storage_harness import StorageHarness

HOUR = timedelta(hours=1)


class ActingSuite:
    """What changed circumstances and people do with records."""

    async def test_reopen_after_configuring(self, harness: StorageHarness) -> None:
        """NT-30, T14: no step of the settings call is needed for it."""
        desk = await Desk.open(harness)
        made = await desk.accept_one(request())
        (claimed,) = await desk.claim()
        assert isinstance(await desk.begin(claimed), NeverBegun)
        assert (await desk.run(acting.reopen(desk.rules, 10)))[0] == []
        await desk.give_address()
        opened, behind = await desk.run(acting.reopen(desk.rules, 10))
        assert ([one.id for one in opened], behind) == ([made.id], None)
        assert (await desk.send()).record.status == Status.SENT
        assert (await desk.run(acting.reopen(desk.rules, 10)))[0] == []
        await desk.close()

    async def test_reopen_after_a_destination_was_disabled(self, harness: StorageHarness) -> None:
        """NT-30: saved anew and resumed, or not at all."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request(route=Route((), ("bot",))))
        await desk.send(GONE)
        assert (await desk.run(acting.reopen(desk.rules, 10)))[0] == []
        await desk.give_address()
        assert (await desk.run(acting.reopen(desk.rules, 10)))[0] == [], "its destination is still switched off"
        now = await desk.run(rows.read_clock())
        await desk.run(destinations.resume(destination_of("bot").key, (), now, 10))
        assert [one.id for one in (await desk.run(acting.reopen(desk.rules, 10)))[0]] == [made.id]
        await desk.close()

    async def test_no_reopen_when_told_elsewhere(self, harness: StorageHarness) -> None:
        """NT-30: another pushing channel may yet tell, and then told."""
        desk = await Desk.open(harness)
        made = await desk.accept_one(request(route=FALL_BACK))
        (claimed,) = await desk.claim()
        await desk.give_address("mail")
        ended = await desk.begin(claimed)
        assert isinstance(ended, NeverBegun)
        assert ended.next_record is not None
        await desk.give_address()
        assert (await desk.run(acting.reopen(desk.rules, 10)))[0] == []
        assert (await desk.send()).record.id == ended.next_record.id
        assert (await desk.run(acting.reopen(desk.rules, 10)))[0] == []
        assert (await desk.read(made.id)).status == Status.SKIPPED
        await desk.close()

    async def test_two_clicks_one_resend(self, harness: StorageHarness) -> None:
        """NT-47, NT-54, T15: a new generation and key; the second click sees another epoch."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        first = (await desk.send()).record
        seen = acting.Version(first.generation, first.epoch)
        again = await desk.run(acting.replay(desk.rules, made.id, ReplayMode.RESEND, seen))
        assert again is not None
        assert (again.status, again.generation, again.attempt_count, again.content_json) == ("pending", 2, 0, None)
        with pytest.raises(VersionMismatch):
            await desk.run(acting.replay(desk.rules, made.id, ReplayMode.RESEND, seen))
        with pytest.raises(StateConflict):
            await desk.run(acting.replay(desk.rules, made.id, ReplayMode.RESEND))
        (claimed,) = await desk.claim()
        begun = await desk.begun(claimed)
        assert begun.record.content_hash == first.content_hash
        assert (await desk.finish(begun, OK)).record.status == Status.SENT
        assert await desk.run(acting.replay(desk.rules, request().request_id, ReplayMode.RESEND)) is None
        await desk.close()

    async def test_a_dead_record_is_resumed_under_its_key(self, harness: StorageHarness) -> None:
        """NT-47, NT-21: the same generation and content, so the same key."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        (claimed,) = await desk.claim()
        first = await desk.begun(claimed)
        await desk.finish(first, REFUSED)
        await desk.give_address()
        await desk.run(acting.replay(desk.rules, made.id, ReplayMode.RESUME))
        (claimed,) = await desk.claim()
        assert (await desk.begun(claimed)).provider_key == first.provider_key
        await desk.close()

    async def test_withdrawn_and_resolved(self, harness: StorageHarness) -> None:
        """T12, T16: what waits is canceled, what is unknown is resolved; anything else is refused by its state."""
        desk = await Desk.open(harness)
        await desk.give_address()
        waits = await desk.accept_one(request())
        (claimed,) = await desk.claim()
        ended = await desk.run(acting.cancel(desk.rules, waits.id))
        assert ended is not None
        assert (ended.status, ended.last_error_code, ended.lease_owner) == ("canceled", Code.WITHDRAWN, None)
        assert not isinstance(await desk.begin(claimed), Begun), "its owner is fenced"
        with pytest.raises(StateConflict):
            await desk.run(acting.cancel(desk.rules, waits.id))
        other = await desk.accept_one(request(subject_id="2"))
        await desk.change(other.id, status="unknown", next_retry_at=None)
        resolved = await desk.run(acting.resolve(desk.rules, other.id, Status.SENT, "she has it"))
        assert resolved is not None
        assert (resolved.status, resolved.last_error) == ("sent", "she has it")
        with pytest.raises(StateConflict):
            await desk.run(acting.resolve(desk.rules, other.id, Status.DEAD, "no"))
        assert [body["status"] for type_, _, body in desk.announced if type_ == ENDED] == ["canceled", "sent"]
        await desk.close()

    async def test_skipped_without_a_call(self, harness: StorageHarness) -> None:
        """NT-17, T10: a secret that cannot be read; the next channel of the route is asked."""
        desk = await Desk.open(harness)
        for channel in ("bot", "mail"):
            await desk.give_address(channel)
        made = await desk.accept_one(request(route=FALL_BACK))
        (claimed,) = await desk.claim()
        ended = await desk.run(skip(desk.rules, claimed, Code.SECRET_UNREADABLE))
        assert isinstance(ended, NeverBegun)
        assert (ended.record.id, ended.record.last_error_code) == (made.id, Code.SECRET_UNREADABLE)
        assert ended.next_record is not None
        assert not isinstance(await desk.run(skip(desk.rules, claimed, Code.MUTED)), NeverBegun)
        await desk.close()

    async def test_preferences_and_quiet_hours(self, harness: StorageHarness) -> None:
        """NT-7, NT-31, T1: the recipient's order and mutes; the first due time is the end of the silence."""
        desk = await Desk.open(harness)
        for channel in ("bot", "mail"):
            await desk.give_address(channel)
        always = "[" + ",".join(f'{{"weekday":{day},"start":"00:00","end":"23:59"}}' for day in range(7)) + "]"
        saved = people.save_preference("anna", "Asia/Shanghai", "en", always, '["mail"]', '{"kinds":["noise"]}')
        await desk.run(saved)
        made = await desk.accept_one(request(route=FALL_BACK))
        assert (made.channel, made.locale, made.hold) == ("mail", "en", "quiet")
        muted = await desk.accept_one(request(kind="noise"))
        assert (muted.status, muted.last_error_code) == ("skipped", Code.MUTED)
        row, _ = await desk.run(people.read_preference("anna"))
        assert row is not None
        assert (row.version, row.quiet_json) == (1, always)
        await desk.run(people.save_preference("anna", "UTC", "en", None, None, None))
        assert (await desk.accept_one(request(subject_id="2", route=FALL_BACK))).hold is None
        await desk.close()

    async def test_addresses_are_kept(self, harness: StorageHarness) -> None:
        """NT-27, NT-44: whole; each change a version; a test's result stays; another's version writes nothing."""
        desk = await Desk.open(harness)
        await desk.give_address()
        await desk.run(people.note_test("anna", "bot", "failed", "no ✗"))
        await desk.give_address()
        stored = await desk.run(people.read_address("anna", "bot"))
        assert stored is not None
        assert (stored.version, stored.secrets, stored.settings) == (2, "sealed", {"auth_type": "none"})
        assert (stored.last_test_status, stored.last_test_error) == ("failed", "no ✗")
        late = people.save_address(
            stored.id,
            "anna",
            "bot",
            enabled=False,
            settings={},
            secrets=None,
            destination_key=b"k" * 32,
            known_version=1,
        )
        assert await desk.run(late) is None
        assert set(await desk.run(people.read_addresses("anna"))) == {"bot"}
        await desk.run(people.delete_address("anna", "bot"))
        assert await desk.run(people.read_address("anna", "bot")) is None
        await desk.close()

    async def test_a_local_record_that_was_held_is_told_once(self, harness: StorageHarness) -> None:
        """NT-1, T4: item and `sent` in one transaction; a second owner has nothing to tell."""
        desk = await Desk.open(harness)
        made = await desk.accept_one(request(route=INBOX, deliver_at=datetime(2026, 1, 1, tzinfo=UTC)))
        assert made.status == Status.SENT
        later = await desk.accept_one(request(subject_id="2", route=INBOX))
        await desk.change(later.id, status="pending", next_retry_at=PAST, sent_at=None, ended_at=None, generation=2)
        (claimed,) = await desk.claim()
        told = await desk.run(tell(desk.rules, claimed))
        assert isinstance(told, NeverBegun)
        assert told.record.status == Status.SENT
        assert not isinstance(await desk.run(tell(desk.rules, claimed)), NeverBegun)
        assert await desk.run(inbox.count_unread("anna")) == 3  # noqa: PLR2004  one a generation
        await desk.close()

    async def test_the_list_is_the_recipients_own(self, harness: StorageHarness) -> None:
        """NT-52: read, read all and archive are idempotent and reach no other's items."""
        desk = await Desk.open(harness)
        for number in range(3):
            await desk.accept_one(request(route=INBOX, subject_id=str(number)))
        await desk.accept_one(request(route=INBOX, recipient_id="bob"))
        newest, middle, oldest = await desk.run(inbox.list_items("anna", 10))
        assert [one.id for one in await desk.run(inbox.list_items("anna", 1, before=newest.id))] == [middle.id]
        assert not await desk.run(inbox.read_item("bob", newest.id))
        for _ in range(2):
            assert await desk.run(inbox.read_item("anna", newest.id))
            assert await desk.run(inbox.archive_item("anna", oldest.id))
        assert [one.id for one in await desk.run(inbox.list_items("anna", 10, unread=True))] == [middle.id]
        await desk.run(inbox.read_all("anna"))
        assert (await desk.run(inbox.count_unread("anna")), await desk.run(inbox.count_unread("bob"))) == (0, 1)
        await desk.close()
