"""Record stores: what operators look for, and replay by the batch. A subclass gives the fixture `harness`.

Source: spec/notification.md NT-34, NT-47, §12.
"""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from outrider.core.errors import OperationRefused
from outrider.core.steps import Rows, Statement, Steps
from outrider.notification.policy import DigestPolicy
from outrider.notification.record import Record
from outrider.notification.reopening import ReplayMode
from outrider.notification.states import Status
from outrider.notification.store.answers import Answer, Mismatch, Once, answered
from outrider.notification.store.claiming import claim_one
from outrider.notification.store.digests import flush
from outrider.notification.store.listing import RecordFilter, list_records, oldest_first
from outrider.notification.store.replaying import count_replayable, replay_matching
from outrider.notification.store.rows import read_clock
from outrider.testing.conformance.records_desk import INBOX, OK, PAST, REFUSED, Desk, new_id, request
from outrider.testing.conformance.storage_harness import StorageHarness

EVERYTHING = {"channel": None, "recipient_id": None, "kind": None}


async def dead_ones(desk: Desk, count: int) -> list[Record]:
    """So many records that were refused, oldest first."""
    made = []
    for number in range(count):
        await desk.give_address()
        made.append(await desk.accept_one(request(subject_id=f"d{number}")))
        await desk.send(REFUSED)
    await desk.give_address()
    return made


class OperatingSuite:
    """Looking for records, and doing the same to many of them."""

    async def test_records_are_found_by_every_filter(self, harness: StorageHarness) -> None:
        """NT-47, §12: each filter by itself, newest first, a page behind another, and times from and before."""
        desk = await Desk.open(harness)
        await desk.give_address()
        one = await desk.accept_one(request(dedupe_key="straße", correlation_id="c1", kind="special"))
        await desk.send(REFUSED)
        two = await desk.accept_one(request(recipient_id="bob", route=INBOX))
        stored = await desk.read(one.id)
        filters = (
            RecordFilter(status="dead"), RecordFilter(channel="bot"), RecordFilter(kind="special"),
            RecordFilter(code="recipient_refused"), RecordFilter(error_class="recipient"), RecordFilter(recipient_id="anna"),
            RecordFilter(dedupe_key="straße"), RecordFilter(correlation_id="c1"),
            RecordFilter(status="dead", since=PAST, until=stored.created_at + timedelta(microseconds=1)),
        )  # fmt: skip
        for wanted in filters:
            assert [each.id for each in await desk.run(list_records(wanted, None, 10))] == [one.id], wanted
            assert wanted.matches(stored)
            assert not wanted.matches(await desk.read(two.id))
        for wanted in (RecordFilter(dedupe_key="STRASSE"), RecordFilter(until=PAST), RecordFilter(status="sending")):
            assert await desk.run(list_records(wanted, None, 10)) == []
        assert [each.id for each in await desk.run(list_records(RecordFilter(), None, 10))] == [two.id, one.id]
        assert [each.id for each in await desk.run(list_records(RecordFilter(), two.id, 10))] == [one.id]
        assert [each.id for each in await desk.run(oldest_first(RecordFilter(), None, 10))] == [one.id, two.id]
        with pytest.raises(OperationRefused):
            await desk.run(list_records(RecordFilter(), None, 1_000))
        await desk.close()

    async def test_a_filter_replays_the_oldest_first_a_batch_at_a_time(self, harness: StorageHarness) -> None:
        """NT-47: resumable by its cursor; what may not be replayed in this mode is left; a dry count is the same."""
        desk = await Desk.open(harness)
        made = await dead_ones(desk, 3)
        sent = await desk.accept_one(request(subject_id="sent"))
        await desk.send(OK)
        wanted = RecordFilter(channel="bot")
        now = await desk.run(read_clock())
        found = await desk.run(oldest_first(wanted, None, 10))
        assert count_replayable(desk.rules, found, ReplayMode.RESUME, now) == len(made)
        done, left, last = await desk.run(replay_matching(desk.rules, wanted, ReplayMode.RESUME, None, 2))
        assert ([one.id for one in done], left, last) == ([one.id for one in made[:2]], 0, made[1].id)
        done, left, last = await desk.run(replay_matching(desk.rules, wanted, ReplayMode.RESUME, last, 10))
        assert ([one.id for one in done], left, last) == ([made[2].id], 1, None)
        assert (await desk.read(sent.id)).status == Status.SENT
        again = await desk.read(made[0].id)
        assert (again.status, again.generation, again.attempt_count) == ("pending", 1, 0)
        assert sorted(one.id for one in await desk.claim()) == sorted(one.id for one in made)
        await desk.close()

    async def test_what_changed_before_its_lock_is_left_alone(self, harness: StorageHarness) -> None:
        """NT-47: a record that is no longer dead when its turn comes is not sent a second time."""
        desk, other = await Desk.open(harness), await Desk.open(harness, "two")
        (made,) = await dead_ones(desk, 1)
        steps = replay_matching(desk.rules, RecordFilter(status="dead"), ReplayMode.RESEND, None, 10)
        statement = next(steps)
        found: Rows = await desk.session.run(_one(statement))
        statement = steps.send(found)
        await other.change(made.id, status="sent")
        locked = await desk.session.run(_one(statement))
        with pytest.raises(StopIteration) as ended:
            steps.send(locked)
        done, left, _ = ended.value.value
        assert (done, left) == ([], 1)
        for one in (desk, other):
            await one.close()

    async def test_a_record_is_claimed_by_its_id_where_it_is_due(self, harness: StorageHarness) -> None:
        """NT-9: not before its time, and not another's."""
        desk, other = await Desk.open(harness), await Desk.open(harness, "two")
        await desk.give_address()
        made = await desk.accept_one(request())
        claimed = await desk.run(claim_one(desk.rules, "one", made.id))
        assert claimed is not None
        assert (claimed.lease_owner, claimed.epoch) == ("one", 1)
        assert await other.run(claim_one(other.rules, "two", made.id)) is None
        assert (await desk.finish(await desk.begun(claimed), OK)).record.status == Status.SENT
        assert await other.run(claim_one(other.rules, "two", made.id)) is None
        assert await other.run(claim_one(other.rules, "two", request().request_id)) is None
        for one in (desk, other):
            await one.close()

    async def test_a_call_from_outside_has_its_effect_once(self, harness: StorageHarness) -> None:
        """NT-54: the answer commits with the effect; a repeat gets it, another hash is refused, an old answer is none."""
        desks = [await Desk.open(harness, str(number)) for number in range(3)]
        once = Once(new_id(), "shop", b"h" * 32)
        effects: list[str] = []

        def effect() -> Steps[Answer]:
            effects.append("done")
            yield from read_clock()
            return Answer(202, {"said": "ü ✓", "records": []})

        found = await asyncio.gather(*(desk.run(answered(once, effect)) for desk in desks))
        first = desks[0]
        assert effects == ["done"]
        assert sorted(isinstance(one, Answer) and one.repeated for one in found) == [False, True, True]
        assert {one.status for one in found if isinstance(one, Answer)} == {202}
        assert all(isinstance(one, Answer) and one.body == {"said": "ü ✓", "records": []} for one in found)
        other = await first.run(answered(Once(once.call_id, "shop", b"x" * 32), effect))
        assert isinstance(other, Mismatch)
        stale = {"request_id": once.call_id, "caller": "shop", "request_hash": once.call_hash, "response_status": 202}
        await first.run(
            _one(Statement("write_notification_answer", {**stale, "response_json": "{}", "expires_at": PAST}))
        )
        again = await first.run(answered(Once(once.call_id, "shop", b"x" * 32), effect))
        assert isinstance(again, Answer)
        assert (again.repeated, effects) == (False, ["done", "done"])
        for desk in desks:
            await desk.close()

    async def test_an_effect_that_fails_leaves_no_answer(self, harness: StorageHarness) -> None:
        """NT-54: whoever tries again has the effect."""
        desk = await Desk.open(harness)
        once = Once(new_id(), "shop", b"h" * 32)

        def fails() -> Steps[Answer]:
            yield from read_clock()
            raise OperationRefused("no")

        def works() -> Steps[Answer]:
            yield from read_clock()
            return Answer(200, {})

        with pytest.raises(OperationRefused):
            await desk.run(answered(once, fails))
        assert await desk.run(answered(once, works)) == Answer(200, {})
        await desk.close()

    async def test_open_digests_are_let_go_now(self, harness: StorageHarness) -> None:
        """NT-34: all members are due, and the first that is claimed closes the list; the filter picks digests."""
        desk = await Desk.open(harness, digest=DigestPolicy("trailing"))
        for person in ("anna", "bob"):
            await desk.give_address(recipient_id=person)
            for number in range(2):
                await desk.accept_one(request(recipient_id=person, subject_id=str(number)))
        assert await desk.claim() == []
        assert await desk.run(flush({**EVERYTHING, "kind": "other"}, None, 10)) == (0, None)
        assert await desk.run(flush({**EVERYTHING, "recipient_id": "bob"}, None, 10)) == (2, None)
        assert [one.recipient_id for one in await desk.claim()] == ["bob", "bob"]
        moved, behind = await desk.run(flush(EVERYTHING, None, 1))
        while behind is not None:
            more, behind = await desk.run(flush(EVERYTHING, behind, 1))
            moved += more
        assert moved == 2  # noqa: PLR2004  those of anna
        assert all(a.id < b.id for a, b in pairwise(await desk.claim()))
        await desk.close()


def _one(statement: Statement) -> Steps[Rows]:
    return (yield statement)
