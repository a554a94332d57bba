"""What several notifiers and applications may do at once, each on a connection of its own, on every database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from outrider.core.notification.content import Priority
from outrider.core.notification.request import Route
from outrider.core.notification.traits import Rate
from outrider.notification.destination import State
from outrider.notification.policy import BreakerPolicy, DigestPolicy
from outrider.notification.record import Record
from outrider.notification.store import beginning, claiming, destinations, digests, people, rows
from outrider.testing.conformance.records_desk import DOWN, FALL_BACK, OK, REFUSED, Desk, destination_of, request
from outrider.testing.conformance.storage_urls import harness_of
from tests.integration.notification import schema

T = TypeVar("T")
DESKS = 4
MAIL = Route(always=(), first_of=("mail",))
BOTH = Route(always=("inbox",), first_of=("bot",))
LIST = DigestPolicy("trailing")


@asynccontextmanager
async def opened(url: str, count: int = DESKS, **settings: Any) -> AsyncIterator[list[Desk]]:  # noqa: ANN401  any of them
    """So many processes on one database with new tables; anna has an address for the bot."""
    harness = harness_of(url, "notification_")
    desks = [await Desk.open(harness, f"desk-{number}", **settings) for number in range(count)]
    await desks[0].give_address()
    try:
        yield desks
    finally:
        for desk in desks:
            await desk.close()
        harness.close()


async def at_once(desks: list[Desk], act: Callable[[Desk, int], Awaitable[T]]) -> list[T]:
    """Let each do this, all at the same time."""
    return list(await asyncio.gather(*[act(desk, place) for place, desk in enumerate(desks)]))


def count(url: str, table: str) -> int:
    """How many rows there are."""
    return int(schema.rows(url, f"SELECT COUNT(*) FROM notification_{table}")[0][0])


async def test_two_notifiers_one_send(url: str) -> None:
    """NT-9, NT-10, NT-11: who claims the same backlog at the same time sends each record once."""
    async with opened(url) as desks:
        records = [await desks[0].accept_one(request(subject_id=str(number))) for number in range(24)]

        async def notify(desk: Desk, _: int) -> int:
            sent = 0
            while found := await desk.claim(3):
                for one in found:
                    assert not (await desk.finish(await desk.begun(one), OK)).lease_lost
                sent += len(found)
            return sent

        sent = sum(await at_once(desks, notify)) + await notify(desks[0], 0)  # what was locked while the others looked
        assert sent == len(records)
        assert {(await desks[0].read(one.id)).status for one in records} == {"sent"}
        assert schema.rows(url, "SELECT COUNT(*), MAX(attempt_no) FROM notification_attempt") == [(len(records), 1)]


async def test_what_is_claimed_by_one_is_not_claimed_by_another(url: str) -> None:
    """NT-9: disjoint, whoever comes first, and in order: priority, due time, id."""
    async with opened(url) as desks:
        wanted = [Priority.LOW, Priority.NORMAL, Priority.URGENT, Priority.NORMAL, Priority.LOW, Priority.URGENT]
        records = [
            await desks[0].accept_one(request(subject_id=str(number), priority=priority))
            for number, priority in enumerate(wanted)
        ]
        found = [*await at_once(desks, lambda desk, _: desk.claim(2)), await desks[0].claim()]
        ids = [one.id for claimed in found for one in claimed]
        assert sorted(ids) == sorted(one.id for one in records)
        for claimed in found:
            order = [(one.priority, one.next_retry_at, one.id) for one in claimed]
            assert order == sorted(order)


async def test_what_an_open_transaction_has_locked_is_passed_over(url: str) -> None:
    """NT-9: SKIP LOCKED, also in the parts of a union; where there is one writer, its end is waited for."""
    async with opened(url, 2) as (first, second):
        records = [await first.accept_one(request(subject_id=str(number))) for number in range(4)]
        async with first.session.transaction() as held:
            mine = await held.run(claiming.claim(first.rules, first.name, 2))
            theirs = [] if url.startswith("sqlite") else await second.claim()
        theirs = theirs or await second.claim()
        assert [one.id for one in mine] == [one.id for one in records[:2]]
        assert [one.id for one in theirs] == [one.id for one in records[2:]]


async def test_concurrent_accepts_one_record(url: str) -> None:
    """NT-4, NT-5: one scope has one winner; the others are its duplicates, and are counted."""
    async with opened(url) as desks:
        found = await at_once(desks, lambda desk, _: desk.accept(request(dedupe_key="due")))
        assert len({one.record.id for (one,) in found}) == 1
        assert sorted(one.reused for (one,) in found) == [False, True, True, True]
        assert count(url, "record") == 1
        assert schema.rows(url, "SELECT duplicates FROM notification_dedupe") == [(DESKS - 1,)]


async def test_one_event_that_many_accept_at_once_has_one_record_a_channel(url: str) -> None:
    """NT-6: also where nothing says what it is about."""
    async with opened(url) as desks:
        asked = request(subject_type=None, subject_id=None, route=BOTH)
        found = await at_once(desks, lambda desk, _: desk.accept(asked))
        assert len({one.record.id for both in found for one in both}) == 2
        assert count(url, "inbox_item") == 1


async def test_scopes_asked_for_in_other_orders_never_wait_in_a_circle(url: str) -> None:
    """NT-4: they are taken in the order of their hashes, whatever the order of the route."""
    routes = [Route(("bot", "mail"), ()), Route(("mail", "bot"), ())]
    async with opened(url) as desks:
        for number in range(5):
            about = {"subject_id": str(number)}
            found = await at_once(
                desks,
                lambda desk, place, about=about: desk.accept(request(**about, route=routes[place % 2])),  # type: ignore[misc]
            )
            assert len({one.record.id for both in found for one in both}) == 2


async def test_one_open_digest(url: str) -> None:
    """NT-34: whoever comes at the same time waits in the same list."""
    async with opened(url, digest=LIST) as desks:
        found = await at_once(desks, lambda desk, place: desk.accept_one(request(subject_id=str(place), route=MAIL)))
        assert len({one.digest_id for one in found}) == 1
        assert schema.rows(url, "SELECT COUNT(*), MIN(open_flag) FROM notification_digest") == [(1, 1)]


async def test_digest_closes_once_under_race(url: str) -> None:
    """NT-34, T13: of all who find it due one makes the list, and every member is in it."""
    async with opened(url, digest=LIST) as desks:
        members = [await desks[0].accept_one(request(subject_id=str(number), route=MAIL)) for number in range(5)]
        digest_id, due = members[0].digest_id, members[0].next_retry_at
        assert digest_id is not None
        assert due is not None
        closed = await at_once(desks, lambda desk, _: desk.run(digests.close(desk.rules, "anna", digest_id, due)))
        (made,) = [one for one in closed if one is not None]
        merged = await desks[0].run(digests.read_members("anna", made.id))
        assert [one.id for one in merged] == [one.id for one in members]
        assert {one.status for one in merged} == {"merged"}
        assert count(url, "record") == len(members) + 1


async def claimed_by_one(desks: list[Desk], wanted: int) -> list[Record]:
    """So many records, claimed by the first."""
    for number in range(wanted):
        await desks[0].accept_one(request(subject_id=str(number)))
    return await desks[0].claim(wanted)


async def test_bucket_shared_by_processes(url: str) -> None:
    """NT-23: what one takes the others lack; who gets no token waits, and no attempt is counted."""
    limited = [destination_of("bot", rates=(Rate(2, timedelta(minutes=10)),))]
    async with opened(url) as desks:
        claimed = await claimed_by_one(desks, DESKS)
        found = await at_once(desks, lambda desk, place: desk.begin(claimed[place], limited))
        held = [one.record for one in found if isinstance(one, beginning.NotBegun)]
        assert sum(isinstance(one, beginning.Begun) for one in found) == 1
        assert [(one.hold, one.attempt_count, one.status) for one in held] == [("rate", 0, "pending")] * (DESKS - 1)


async def test_half_open_single_probe(url: str) -> None:
    """NT-24: of all whose destination may be tried again, one tries."""
    quick = BreakerPolicy(failures=1, first=timedelta(milliseconds=1))
    async with opened(url, breaker=quick) as desks:
        claimed = await claimed_by_one(desks, DESKS + 1)
        await desks[0].finish(await desks[0].begun(claimed[0]), DOWN)
        (row,) = await desks[0].run(destinations.list_destinations())
        assert row.state == State.OPEN
        assert row.blocked_until is not None
        while await desks[0].run(rows.read_clock()) <= row.blocked_until:
            pass
        found = await at_once(desks, lambda desk, place: desk.begin(claimed[place + 1]))
        held = [one.record for one in found if isinstance(one, beginning.NotBegun)]
        assert sum(isinstance(one, beginning.Begun) for one in found) == 1
        assert [(one.hold, one.attempt_count) for one in held] == [("breaker", 0)] * (DESKS - 1)


async def test_keys_compare_binary(url: str) -> None:
    """S11, NT-3: no collation merges what people, keys and subjects are called."""
    async with opened(url, 1) as (desk,):
        asked = [request(dedupe_key="k", recipient_id=one) for one in ("anna", "Anna", "anna.", "ann")]
        asked += [request(dedupe_key="k", subject_id=one) for one in ("A", "a")] + [request(dedupe_key="K")]
        records = [await desk.accept_one(one) for one in asked]
        assert len({one.id for one in records}) == len(asked)
        under = await desk.run(rows.find("bot", "k"))
        assert {one.id for one in under} == {one.id for one in records[:-1]}
        assert await desk.run(people.read_address("Anna", "bot")) is None


async def test_fallback_created_once_though_two_find_the_end(url: str) -> None:
    """NT-12, NT-28: an end that is written twice at the same time makes one record of the next channel."""
    async with opened(url) as desks:
        await desks[0].accept_one(request(route=FALL_BACK))
        (claimed,) = await desks[0].claim()
        begun = await desks[0].begun(claimed)
        refused = await at_once(desks, lambda desk, _: desk.finish(begun, REFUSED))
        assert sum(one.next_record is not None for one in refused) == 1
        assert count(url, "record") == 2
