"""Record stores: claiming, beginning, finishing, recovering. A subclass gives the fixture `harness`.

Source: spec/notification.md NT-8 to NT-15, NT-28, §14.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta

from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.content import Priority
from outrider.core.notification.request import Route
from outrider.core.notification.sending import SendResult
from outrider.notification.content_key import thaw
from outrider.notification.states import Status
from outrider.notification.store import rows
from outrider.notification.store.attempts import read_attempts
from outrider.notification.store.beginning import Begun, LeaseLost, NeverBegun, NotBegun, Stale
from outrider.notification.store.claiming import release
from outrider.notification.store.finishing import recover
from outrider.testing.conformance.records_desk import (
    DOWN,
    FALL_BACK,
    GONE,
    OK,
    PAST,
    REFUSED,
    TRAITS,
    Desk,
    destination_of,
    request,
)  # fmt: skip
from outrider.testing.conformance.storage_harness import StorageHarness

HOUR = timedelta(hours=1)
LOST = SendResult(Outcome.UNKNOWN, None, Code.CONNECTION_LOST, maybe_done=True)


class SendingSuite:
    """One owner at a time, and what it finds out is written once."""

    async def test_two_notifiers_one_send(self, harness: StorageHarness) -> None:
        """NT-9: a claimed record is nobody else's, and beginning costs its owner one attempt."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        await one.give_address()
        made = [await one.accept_one(request(subject_id=str(number))) for number in range(6)]
        taken = [*(await asyncio.gather(one.claim(3), two.claim(3))), await one.claim(), await two.claim()]
        ids = [record.id for claimed in taken for record in claimed]
        assert sorted(ids) == sorted(record.id for record in made)
        claimed = (taken[0] + taken[2])[0]
        begun = await one.begun(claimed)
        assert isinstance(await two.begin(claimed), LeaseLost), "it is sending"
        assert (begun.record.status, begun.record.attempt_count, begun.record.epoch) == ("sending", 1, claimed.epoch)
        await asyncio.gather(one.close(), two.close())

    async def test_due_order(self, harness: StorageHarness) -> None:
        """NT-9: priority, then due time; not what is not due, at most the limit."""
        desk = await Desk.open(harness)
        low = await desk.accept_one(request(subject_id="low", priority=Priority.LOW))
        old = await desk.accept_one(request(subject_id="old"))
        new = await desk.accept_one(request(subject_id="new"))
        urgent = await desk.accept_one(request(subject_id="urgent", priority=Priority.URGENT))
        await desk.accept_one(request(subject_id="later", deliver_at=urgent.created_at + HOUR))
        await desk.change(old.id, next_retry_at=PAST)
        assert [one.id for one in await desk.claim(2)] == [urgent.id, old.id]
        assert [one.id for one in await desk.claim()] == [new.id, low.id]
        assert await desk.claim() == []
        await desk.close()

    async def test_stale_epoch_writes_nothing(self, harness: StorageHarness) -> None:
        """NT-11, NT-14: a fenced owner neither begins nor finishes; it closes its own attempt, marked late."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        await one.give_address()
        made = await one.accept_one(request())
        (claimed,) = await one.claim()
        await one.change(made.id, lease_until=PAST)
        (mine,) = await two.claim()
        assert mine.epoch == claimed.epoch + 1
        assert isinstance(await one.begin(claimed), LeaseLost)
        begun = await two.begun(mine)
        stale = Begun(replace(begun.record, epoch=claimed.epoch), begun.provider_key, begun.started_at)
        lost = await one.finish(stale, DOWN)
        assert (lost.lease_lost, lost.late_success, lost.record.status) == (True, False, "sending")
        (attempt,) = await one.run(read_attempts(made.id))
        assert (attempt.late, attempt.outcome) == (True, "temporary_fail")
        await asyncio.gather(one.close(), two.close())

    async def test_orphaned_pending_goes_out(self, harness: StorageHarness) -> None:
        """NT-13: it is due, and needs no recovery; so does what its owner claimed and never began."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        made = await one.accept_one(request())
        await one.claim()
        assert await two.claim() == []
        await one.change(made.id, lease_until=PAST)
        (again,) = await two.claim()
        assert (again.id, again.lease_owner) == (made.id, "two")
        await asyncio.gather(one.close(), two.close())

    async def test_given_back_is_due_at_once(self, harness: StorageHarness) -> None:
        """NT-15: what was not begun; what another owns by now is left alone."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        made = await one.accept_one(request())
        claimed = await one.claim()
        await one.run(release(claimed))
        (again,) = await two.claim()
        await one.run(release(claimed))
        assert (await one.read(made.id)).lease_owner == "two"
        assert again.attempt_count == 0
        await asyncio.gather(one.close(), two.close())

    async def test_sending_past_lease_is_recovered(self, harness: StorageHarness) -> None:
        """NT-13, NT-19: its attempt becomes unknown and the channel's policy decides; a live one is left alone."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        for channel in ("bot", "mail"):
            await one.give_address(channel)
        keyed = await one.accept_one(request())
        once = await one.accept_one(request(route=Route((), ("mail",))))
        for claimed in await one.claim():
            await one.begun(claimed)
        assert await two.run(recover(two.rules, 10)) == []
        for record in (keyed, once):
            await one.change(record.id, lease_until=PAST)
        assert len(await two.run(recover(two.rules, 10))) == 2  # noqa: PLR2004  both
        again, ended = await two.read(keyed.id), await two.read(once.id)
        assert (again.status, again.last_error_code) == ("failed", Code.SENDING_LEASE_EXPIRED)
        assert again.ambiguous_since is not None
        assert again.next_retry_at is not None
        assert (ended.status, ended.next_retry_at, ended.lease_owner) == ("unknown", None, None)
        (attempt,) = await two.run(read_attempts(keyed.id))
        assert (attempt.outcome, attempt.code, attempt.maybe_done, attempt.late) == (
            "unknown", Code.SENDING_LEASE_EXPIRED, True, False,
        )  # fmt: skip
        await asyncio.gather(one.close(), two.close())

    async def test_late_success_is_taken(self, harness: StorageHarness) -> None:
        """NT-14, T17: a fact outranks a verdict and saves the next send; of another generation it says nothing."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        await one.give_address()
        made = await one.accept_one(request())
        (claimed,) = await one.claim()
        begun = await one.begun(claimed)
        await one.change(made.id, lease_until=PAST)
        await two.run(recover(two.rules, 10))
        taken = await one.finish(begun, OK)
        assert (taken.lease_lost, taken.late_success, taken.record.status) == (True, True, "sent")
        stored = await two.read(made.id)
        assert (stored.status, stored.next_retry_at, stored.provider_message_id) == ("sent", None, "m1")
        assert stored.last_error_code is None
        await one.change(made.id, status="dead", generation=2)
        assert not (await one.finish(begun, OK)).late_success
        await asyncio.gather(one.close(), two.close())

    async def test_a_finish_that_is_repeated_changes_nothing(self, harness: StorageHarness) -> None:
        """NT-12: after a commit without an answer it is repeated until it succeeds."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        (claimed,) = await desk.claim()
        begun = await desk.begun(claimed)
        await desk.finish(begun, OK)
        before = await desk.read(made.id)
        again = await desk.finish(begun, OK)
        assert (again.lease_lost, again.record) == (False, before)
        assert len(desk.announced) == 1
        await desk.close()

    async def test_what_begins_is_frozen(self, harness: StorageHarness) -> None:
        """NT-8, NT-10, NT-21: content, form, key and number are the record's own from then on, and its retries'."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request(target_url="/first"))
        (claimed,) = await desk.claim()
        first = await desk.begun(claimed)
        await desk.finish(first, replace(DOWN, http_status=502, request_json={"to": "…"}, message="no"))
        await desk.change(made.id, next_retry_at=PAST, target_url="/second")
        (claimed,) = await desk.claim()
        second = await desk.begun(claimed)
        assert second.provider_key == first.provider_key
        assert second.record.content_json == first.record.content_json
        assert thaw(second.record.content_json or "")[0].body == {"text": "/first"}
        assert (second.record.attempt_count, second.record.attempt_no, second.record.last_error_code) == (2, 2, None)
        attempts = await desk.run(read_attempts(made.id))
        assert [(one.attempt_no, one.outcome, one.http_status, one.latency_ms) for one in attempts] == [
            (1, "temporary_fail", 502, 7), (2, None, None, None),
        ]  # fmt: skip
        assert (attempts[0].request_json, attempts[0].message) == ('{"to":"…"}', "no")
        await desk.close()

    async def test_what_does_not_begin_costs_nothing(self, harness: StorageHarness) -> None:
        """NT-10: a lease too short, an address that changed; without an address it is skipped."""
        desk = await Desk.open(harness)
        made = await desk.accept_one(request())
        (claimed,) = await desk.claim()
        await desk.change(made.id, lease_until=claimed.created_at + timedelta(seconds=1))
        assert isinstance(await desk.begin(claimed), NotBegun)
        (claimed,) = await desk.claim()
        await desk.give_address()
        address = await desk.address("anna", "bot")
        assert address is not None
        await desk.give_address()
        assert isinstance(await desk.begin(claimed, seen=address), Stale)
        assert (await desk.begun(claimed)).record.attempt_count == 1
        other = await desk.accept_one(request(recipient_id="bob"))
        (claimed,) = await desk.claim()
        ended = await desk.begin(claimed)
        assert isinstance(ended, NeverBegun)
        assert (ended.record.id, ended.record.status, ended.record.last_error_code) == (
            other.id, "skipped", Code.RECIPIENT_MISSING,
        )  # fmt: skip
        assert await desk.run(read_attempts(other.id)) == []
        await desk.close()

    async def test_fallback_created_once(self, harness: StorageHarness) -> None:
        """NT-28, T4: by the transaction that ended the first; a late success withdraws what has not begun."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        for channel in ("bot", "mail"):
            await one.give_address(channel)
        made = await one.accept_one(request(route=FALL_BACK))
        (claimed,) = await one.claim()
        begun = await one.begun(claimed)
        ended = await one.finish(begun, REFUSED)
        assert ended.next_record is not None
        child = await two.read(ended.next_record.id)
        assert (child.channel, child.parent_id, child.step, child.status) == ("mail", made.id, 1, "pending")
        assert (child.request_id, child.target_url, child.expires_at) == (made.request_id, "/tasks/1", made.expires_at)
        assert (await one.finish(begun, REFUSED)).next_record is None
        assert len(await one.run(rows.read_of_request(made.request_id))) == 2  # noqa: PLR2004  one a channel
        assert (await one.finish(begun, OK)).late_success
        withdrawn = await two.read(child.id)
        assert (withdrawn.status, withdrawn.last_error_code) == ("canceled", Code.TOLD_ELSEWHERE)
        await asyncio.gather(one.close(), two.close())

    async def test_refused_recipient_is_marked(self, harness: StorageHarness) -> None:
        """NT-17: the next record is skipped without a call; new settings make it usable again."""
        desk = await Desk.open(harness)
        await desk.give_address()
        await desk.accept_one(request())
        await desk.send(REFUSED)
        await desk.accept_one(request(subject_id="2"))
        (claimed,) = await desk.claim()
        assert isinstance(await desk.begin(claimed), NeverBegun)
        await desk.give_address()
        await desk.accept_one(request(subject_id="3"))
        assert (await desk.send()).record.status == Status.SENT
        await desk.close()

    async def test_ambiguous_attempts_are_counted(self, harness: StorageHarness) -> None:
        """NT-19: of the generation, before this one, so that a channel without a key repeats itself twice at most."""
        traits = {"bot": replace(TRAITS["bot"], keyed=False, dedupe_window=None, ambiguous_max=2)}
        desk = await Desk.open(harness, traits=traits)
        await desk.give_address()
        made = await desk.accept_one(request())
        statuses = []
        for _ in range(3):
            await desk.change(made.id, next_retry_at=PAST)
            statuses.append((await desk.send(LOST)).record.status)
        assert statuses == ["failed", "failed", "unknown"]
        await desk.close()

    async def test_no_word_of_a_provider_stops_the_writing(self, harness: StorageHarness) -> None:
        """NT-12, NT-42: however long or hostile, every result can be stored."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        (claimed,) = await desk.claim()
        hostile = "\x00\ud800\u202e😀" * 3_000
        bad = replace(DOWN, code="c" * 99, provider_code=hostile, message=hostile, http_status=599)
        ended = await desk.finish(await desk.begun(claimed), bad)
        assert len(ended.record.last_error or "") == 2_000  # noqa: PLR2004  characters at most
        await desk.change(made.id, next_retry_at=PAST)
        told = (await desk.send(replace(OK, provider_message_id="m" * 500))).record
        assert (told.status, len(told.provider_message_id or "")) == ("sent", 128)
        assert (await desk.read(made.id)).provider_message_id == told.provider_message_id
        await desk.close()

    async def test_gone_skips(self, harness: StorageHarness) -> None:
        """NT-17, NT-27."""
        desk = await Desk.open(harness)
        await desk.give_address()
        await desk.accept_one(request())
        ended = await desk.send(GONE)
        assert (ended.record.status, ended.record.last_error_code) == ("skipped", Code.DESTINATION_GONE)
        assert ended.turned is not None
        assert (ended.turned.key, ended.turned.state) == (destination_of("bot").key, "disabled")
        await desk.close()
