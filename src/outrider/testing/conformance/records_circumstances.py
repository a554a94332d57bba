"""Record stores: destinations and digests. A subclass gives the fixture `harness`.

Source: spec/notification.md NT-23 to NT-27, NT-34, §14.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from outrider.core.notification.codes import Code
from outrider.core.notification.content import Priority
from outrider.core.notification.request import CHANNEL_DISABLED, Route
from outrider.core.notification.traits import Rate
from outrider.core.steps import Steps
from outrider.notification.destination import DestinationRow, Hold, State
from outrider.notification.policy import DigestPolicy
from outrider.notification.record import Record
from outrider.notification.states import Status
from outrider.notification.store import destinations, digests, inbox, rows
from outrider.notification.store.beginning import Begun, NotBegun
from outrider.notification.store.claiming import take
from outrider.notification.store.finishing import skip_waiting
from outrider.notification.turns import Turn
from outrider.testing.conformance.records_desk import (
    DOWN,
    GONE,
    OK,
    PAST,
    Desk,
    destination_of,
    request,
)  # fmt: skip
from outrider.testing.conformance.storage_harness import StorageHarness

HOUR = timedelta(hours=1)
FUTURE = datetime(2099, 1, 1, tzinfo=UTC)
TRAILING: dict[str, Any] = {"digests": {"reminder": DigestPolicy("trailing")}}
LEADING: dict[str, Any] = {"digests": {"reminder": DigestPolicy("leading")}}


async def put_destination(desk: Desk, **columns: Any) -> None:  # noqa: ANN401  any column of a destination
    """Leave the bot's destination as an earlier moment would have."""
    (row,) = await desk.run(destinations.lock_all([destination_of("bot")]))
    await desk.run(destinations.write_destinations([replace(row, **columns)]))


def redate(key: bytes, now: datetime, turn: Turn, limit: int) -> Steps[int]:
    """Move what is due there behind `turn`; gives how many."""
    due = yield from destinations.due_there({key: turn}, now, limit)
    moves = yield from destinations.put_behind({key: (turn, due[key])})
    yield from destinations.move(moves)
    return len(moves)


async def the_destination(desk: Desk) -> DestinationRow:
    """The bot's destination as it stands."""
    row = await desk.run(destinations.lock_one(destination_of("bot").key))
    assert row is not None
    return row


class DestinationSuite:
    """Everybody who sends shares a destination's limits."""

    async def test_bucket_shared_by_processes(self, harness: StorageHarness) -> None:
        """NT-23: one token, whoever asks; the other holds, names it, and has spent no attempt."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        await one.give_address()
        for subject in "12":
            await one.accept_one(request(subject_id=subject))
        (first,), (second,) = await one.claim(1), await two.claim(1)
        there = [destination_of("bot", rates=(Rate(1, HOUR), Rate(50, 24 * HOUR)))]
        found = await asyncio.gather(one.begin(first, there), two.begin(second, there))
        (begun,) = [each for each in found if isinstance(each, Begun)]
        (held,) = [each for each in found if isinstance(each, NotBegun)]
        assert (held.record.hold, held.record.attempt_count, held.record.lease_owner) == ("rate", 0, None)
        assert held.record.next_retry_at is not None
        assert HOUR / 2 < held.record.next_retry_at - begun.started_at <= HOUR
        await asyncio.gather(one.close(), two.close())

    async def test_half_open_single_probe(self, harness: StorageHarness) -> None:
        """NT-24: one probe at a time, by a lease on the row; its success closes the breaker for all."""
        one, two = await Desk.open(harness), await Desk.open(harness, "two")
        await one.give_address()
        for subject in "12":
            await one.accept_one(request(subject_id=subject))
        await put_destination(one, state=State.OPEN, blocked_until=PAST, failures=5, opens=1, first_failure_at=PAST)
        (first,), (second,) = await one.claim(1), await two.claim(1)
        found = await asyncio.gather(one.begin(first), two.begin(second))
        (begun,) = [each for each in found if isinstance(each, Begun)]
        (held,) = [each for each in found if isinstance(each, NotBegun)]
        assert held.record.hold == "breaker"
        assert (await the_destination(one)).state == State.HALF_OPEN
        await one.finish(begun, OK)
        closed = await the_destination(one)
        assert (closed.state, closed.failures, closed.probe_owner) == (State.CLOSED, 0, None)
        assert closed.last_success_at is not None
        await asyncio.gather(one.close(), two.close())

    async def test_failures_open_the_breaker_and_spend_nothing_more(self, harness: StorageHarness) -> None:
        """NT-18, NT-24: the failure that opens it gives its attempt back."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = await desk.accept_one(request())
        await put_destination(desk, failures=4, first_failure_at=FUTURE - 24 * 365 * HOUR)
        after = (await desk.send(DOWN)).record
        row = await the_destination(desk)
        assert (row.state, row.failures, row.opens) == (State.OPEN, 5, 1)
        assert (after.attempt_count, after.attempt_no, after.hold) == (0, 1, "breaker")
        assert after.next_retry_at == row.blocked_until
        assert (await desk.read(made.id)).status == Status.FAILED
        await desk.close()

    async def test_blocked_destination_starves_nobody(self, harness: StorageHarness) -> None:
        """NT-25, T2: what is due there is re-dated, spread; the others are claimed."""
        desk = await Desk.open(harness)
        for channel in ("bot", "mail"):
            await desk.give_address(channel)
        blocked = [await desk.accept_one(request(subject_id=str(number))) for number in range(5)]
        other = await desk.accept_one(request(route=Route((), ("mail",))))
        now = await desk.run(rows.read_clock())
        turn = Turn(0, now + HOUR, timedelta(minutes=1), Hold.BREAKER)
        assert (await desk.run(redate(destination_of("bot").key, now, turn, 4))) == 4  # noqa: PLR2004  the limit
        assert sorted(one.id for one in await desk.claim()) == sorted([blocked[4].id, other.id])
        stored = [await desk.read(one.id) for one in blocked[:4]]
        assert [one.next_retry_at for one in stored] == [
            now + HOUR + place * timedelta(minutes=1) for place in range(4)
        ]
        assert {one.hold for one in stored} == {"breaker"}
        await desk.close()

    async def test_what_is_moved_later_goes_behind_what_was_moved_before(self, harness: StorageHarness) -> None:
        """NT-25: each is moved about once, however many wait; behind a queue that is gone nobody waits."""
        desk = await Desk.open(harness)
        await desk.give_address()
        key, minute = destination_of("bot").key, timedelta(minutes=1)
        now = await desk.run(rows.read_clock())
        first = [await desk.accept_one(request(subject_id=f"first {number}")) for number in range(2)]
        began = await desk.run(rows.read_clock())
        turn = Turn(0, now + HOUR, minute, Hold.RATE)
        await desk.run(redate(key, began, turn, 100))
        later = await desk.accept_one(request(subject_id="later"))
        began = await desk.run(rows.read_clock())
        count = await desk.run(redate(key, began, turn, 100))
        assert (count, (await desk.read(later.id)).next_retry_at) == (1, now + HOUR + 2 * minute)
        for record in (*first, later):
            await desk.change(record.id, next_retry_at=now)
        last = await desk.accept_one(request(subject_id="last"))
        began = await desk.run(rows.read_clock())
        await desk.run(redate(key, began, turn, 100))
        found = {(await desk.read(one.id)).next_retry_at for one in (*first, later)}
        assert found == {now + HOUR, now + HOUR + minute, now + HOUR + 2 * minute}
        behind = (await desk.read(last.id)).next_retry_at
        assert behind == now + HOUR + 3 * minute, "what has waited before goes first, and behind nothing that is gone"
        await desk.close()

    async def test_each_destination_has_its_turn(self, harness: StorageHarness) -> None:
        """NT-9, NT-23, NT-25: of each as many are taken as it has tokens for, the rest is due when it has one again, in one
        transaction; what has waited before comes before what has not, and what may have told somebody before all.
        """
        desk = await Desk.open(harness)
        for channel in ("bot", "mail"):
            await desk.give_address(channel)
        made = [await desk.accept_one(request(subject_id=str(number))) for number in range(5)]
        other = await desk.accept_one(request(route=Route((), ("mail",))))
        await desk.change(made[3].id, ambiguous_since=PAST)
        await desk.change(made[2].id, hold="rate")
        until = (await desk.run(rows.read_clock())) + HOUR
        turn = Turn(1, until, timedelta(minutes=1), Hold.RATE)
        seen: list[DestinationRow] = []

        def choose(_: Record, row: DestinationRow, now: datetime) -> Turn:  # noqa: ARG001 - as it is called
            seen.append(row)
            return turn

        taken = await desk.run(take(desk.rules, "one", 10, 100, choose))
        assert {one.id for one in taken.records} == {made[3].id, other.id}
        assert {row.state for row in seen} == {State.CLOSED}
        assert {one.id for one in taken.held} == {made[number].id for number in (0, 1, 4)}
        due = [(await desk.read(made[number].id)).next_retry_at for number in (2, 0, 1, 4)]
        assert due == [until + place * turn.apart for place in range(4)]
        assert taken.is_all
        assert taken.next_in is not None
        assert HOUR * 0.9 < taken.next_in <= HOUR
        assert (await desk.run(take(desk.rules, "two", 10, 100, choose))).records == []
        await desk.close()

    async def test_no_more_is_taken_than_there_is_room_for(self, harness: StorageHarness) -> None:
        """NT-9: what may begin and finds no room stays due, for whoever has."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = [await desk.accept_one(request(subject_id=str(number))) for number in range(3)]
        turn = Turn(3, FUTURE, HOUR, Hold.RATE)
        taken = await desk.run(take(desk.rules, "one", 1, 100, lambda *_: turn))
        assert ([one.id for one in taken.records], taken.is_all, taken.next_in) == ([made[0].id], False, None)
        again = await desk.run(take(desk.rules, "two", 9, 100, lambda *_: turn))
        assert ([one.id for one in again.records], again.is_all) == ([one.id for one in made[1:]], True)
        await desk.close()

    async def test_a_person_pauses_and_resumes(self, harness: StorageHarness) -> None:
        """NT-26: pausing holds records and ends none; resuming makes them due at once."""
        desk = await Desk.open(harness)
        await desk.give_address()
        await desk.accept_one(request())
        key = destination_of("bot").key
        assert not await desk.run(destinations.pause(key, "maintenance"))
        await put_destination(desk)
        assert await desk.run(destinations.pause(key, "maintenance"))
        (claimed,) = await desk.claim()
        held = await desk.begin(claimed)
        assert isinstance(held, NotBegun)
        assert held.record.hold == "paused"
        assert await desk.claim() == []
        now = await desk.run(rows.read_clock())
        assert await desk.run(destinations.resume(key, (), now, 10)) == 1
        assert (await desk.send()).record.status == Status.SENT
        assert [row.state for row in await desk.run(destinations.list_destinations())] == [State.CLOSED]
        await desk.close()

    async def test_disable_and_notice_together(self, harness: StorageHarness) -> None:
        """NT-27: destination, address, message and the owner's notice commit together; a notice that fails makes none."""
        desk = await Desk.open(harness)
        for channel in ("bot", "mail"):
            await desk.give_address(channel)
        await desk.accept_one(request())
        await desk.send(GONE)
        assert (await the_destination(desk)).state == State.DISABLED
        address = await desk.address("anna", "bot")
        assert address is not None
        assert address.state == "disabled"
        kinds = [(type_, key) for type_, key, _ in desk.announced if type_ == CHANNEL_DISABLED]
        assert kinds == [(CHANNEL_DISABLED, "anna")]
        (item,) = await desk.run(inbox.list_items("anna", 10))
        assert item.kind == "channel_disabled"
        (notice,) = await desk.claim()
        assert (notice.channel, notice.kind) == ("mail", "channel_disabled")
        await desk.finish(await desk.begun(notice), GONE)
        assert await desk.run(inbox.count_unread("anna")) == 1
        await desk.close()

    async def test_what_waits_for_a_disabled_destination_is_skipped_in_batches(self, harness: StorageHarness) -> None:
        """NT-27, T10: each with its fallback; of one that takes sends again nothing ends."""
        desk = await Desk.open(harness)
        await desk.give_address()
        made = [await desk.accept_one(request(subject_id=str(number))) for number in range(3)]
        await put_destination(desk, state=State.DISABLED, reason=Code.SIGN_MISMATCH)
        key = destination_of("bot").key
        assert [await desk.run(skip_waiting(desk.rules, key, 2)) for _ in range(3)] == [2, 1, 0]
        stored = [await desk.read(one.id) for one in made]
        assert {(one.status, one.last_error_code) for one in stored} == {("skipped", Code.DESTINATION_DISABLED)}
        await put_destination(desk, state=State.CLOSED)
        waits = await desk.accept_one(request(subject_id="9"))
        assert await desk.run(skip_waiting(desk.rules, key, 2)) == 0
        assert (await desk.read(waits.id)).status == Status.PENDING
        await desk.close()


class DigestSuite:
    """What follows goes as one list."""

    async def test_one_open_digest(self, harness: StorageHarness) -> None:
        """NT-34: one of a channel, recipient and kind, however many open it at once; urgent never waits."""
        desks = [await Desk.open(harness, str(number), **TRAILING) for number in range(4)]
        made = await asyncio.gather(
            *(desk.accept_one(request(subject_id=str(number))) for number, desk in enumerate(desks))
        )
        assert {one.hold for one in made} == {"digest"}
        assert len({one.digest_id for one in made}) == 1
        urgent = await desks[0].accept_one(request(subject_id="u", priority=Priority.URGENT))
        other = await desks[0].accept_one(request(recipient_id="bob"))
        assert (urgent.digest_id, urgent.hold) == (None, None)
        assert other.digest_id not in {None, made[0].digest_id}
        assert [one.id for one in await desks[0].claim()] == [urgent.id]
        for desk in desks:
            await desk.close()

    async def test_digest_closes_once_under_race(self, harness: StorageHarness) -> None:
        """NT-34, T13: one list with all members, whose fate they share; what was claimed of it is fenced."""
        desks = [await Desk.open(harness, str(number), **TRAILING) for number in range(3)]
        made = [await desks[0].accept_one(request(subject_id=str(number))) for number in range(5)]
        for one in made:
            await desks[0].change(one.id, next_retry_at=PAST)
        claimed = await desks[0].claim(1)
        now = await desks[0].run(rows.read_clock())
        digest_id = made[0].digest_id
        assert digest_id is not None
        found = await asyncio.gather(*(desk.run(digests.close(desk.rules, "anna", digest_id, now)) for desk in desks))
        (record,) = [one for one in found if one is not None]
        stored = await desks[1].read(record.id)
        assert (stored.status, stored.channel, stored.kind, stored.digest_id) == (
            "pending",
            "bot",
            "reminder",
            digest_id,
        )
        members = await desks[1].run(digests.read_members("anna", record.id))
        assert [one.id for one in members] == [one.id for one in made]
        assert {(one.status, one.next_retry_at, one.lease_owner) for one in members} == {("merged", None, None)}
        await desks[0].give_address()
        assert not isinstance(await desks[0].begin(claimed[0]), Begun)
        (again,) = await desks[0].accept(request(subject_id="3"))
        assert again.reused, "a merged holder answers"
        for desk in desks:
            await desk.close()

    async def test_a_single_member_goes_as_itself(self, harness: StorageHarness) -> None:
        """NT-34: the digest closes, and the next request opens another."""
        desk = await Desk.open(harness, **TRAILING)
        await desk.give_address()
        made = await desk.accept_one(request())
        await desk.change(made.id, next_retry_at=PAST)
        (claimed,) = await desk.claim()
        now = await desk.run(rows.read_clock())
        assert made.digest_id is not None
        assert await desk.run(digests.close(desk.rules, "anna", made.digest_id, now)) is None
        assert (await desk.finish(await desk.begun(claimed), OK)).record.status == Status.SENT
        later = await desk.accept_one(request(subject_id="2"))
        assert later.digest_id not in {None, made.digest_id}
        await desk.close()

    async def test_leading_sends_the_first_at_once(self, harness: StorageHarness) -> None:
        """NT-34: what follows within the window waits."""
        desk = await Desk.open(harness, **LEADING)
        first = await desk.accept_one(request())
        second = await desk.accept_one(request(subject_id="2"))
        assert [one.id for one in await desk.claim()] == [first.id]
        assert (first.digest_id, second.hold) == (None, "digest")
        assert second.next_retry_at is not None
        assert second.next_retry_at - first.created_at > HOUR / 3
        await desk.close()
