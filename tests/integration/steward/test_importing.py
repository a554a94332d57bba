"""Files and feeds become fixed rows: ST-1, ST-3, ST-16, ST-47, §18."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, timedelta

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.ports.chance import Chance
from steward.ports.feed import FeedFailure, FeedText, FeedUnchanged
from steward.ports.rows.calendar import CalendarRow, EventRow, SourceRow
from steward.ports.rows.person import UserRow
from steward.ports.storage import Raise, Storage, Writing
from steward.service.answer import Keyed
from steward.service.problems import IdempotencyMismatch
from tests.integration.steward.calendars import URL, Calendars, counts, lecture
from tests.integration.steward.parts import PERSON
from tests.integration.steward.stories import Story
from tests.unit.steward.calendars.texts import calendar, event


@pytest.fixture
def calendars(storage: Storage, chance: Chance, person: str) -> Calendars:
    return Calendars(storage, chance, person)


async def revision(calendars: Calendars) -> int:
    row = await calendars.storage.read(lambda tx: tx.one(CalendarRow, {"user_id": calendars.person}))
    assert row is not None
    return row.revision


async def test_an_imported_event_is_a_fixed_row(calendars: Calendars) -> None:
    """ST-16: counted by what takes time; the calendar's revision rises."""
    body = await calendars.file(
        lecture(), event("DTSTART;VALUE=DATE:20261125", "TRANSP:TRANSPARENT", uid="b"), event(uid="c")
    )
    assert counts(body) == (2, 0, 0, 0)
    assert (body["busy"], body["not_busy"], body["refused_count"]) == (1, 1, 1)
    assert body["refused"] == [{"uid": "c", "reason": "it has no start"}]
    first, second = await calendars.events()
    assert (first.mobility, first.origin, first.source_id, first.uid) == ("fixed", "import", body["source_id"], "a@x")
    assert (second.start_date, second.end_date, second.busy) == (date(2026, 11, 25), date(2026, 11, 26), False)
    assert await revision(calendars) == 1


async def test_the_same_file_again_changes_nothing(calendars: Calendars) -> None:
    """ST-16: equal rows are left alone, and so is the revision; under the same name it is the same source."""
    first = await calendars.file(lecture())
    before = await calendars.events()
    again = await calendars.file(lecture())
    assert (counts(again), again["source_id"]) == ((0, 0, 0, 1), first["source_id"])
    assert (await calendars.events(), await revision(calendars)) == (before, 1)


async def test_a_changed_and_a_vanished_event(calendars: Calendars) -> None:
    """ST-16: the one is changed in place, the other cancelled, both under a new version."""
    await calendars.file(lecture(), lecture(uid="b@x"))
    before = {row.uid: row for row in await calendars.events()}
    body = await calendars.file(lecture("LOCATION:Room 2"))
    assert counts(body) == (0, 1, 1, 0)
    after = {row.uid: row for row in await calendars.events()}
    assert after["a@x"] == replace(before["a@x"], location="Room 2", version=2)
    assert after["b@x"] == replace(before["b@x"], status="cancelled", version=2)


async def test_sources_do_not_touch_one_another(calendars: Calendars) -> None:
    """ST-16: the same UID in two sources is two rows; what vanishes from one stays in the other."""
    await calendars.file(lecture(), name="uni")
    await calendars.file(lecture(), name="club")
    body = await calendars.file(lecture(uid="b@x"), name="club")
    assert counts(body) == (1, 0, 1, 0)
    assert sorted((row.uid or "", row.status) for row in await calendars.events()) == [
        ("a@x", "cancelled"),
        ("a@x", "confirmed"),
        ("b@x", "confirmed"),
    ]


async def test_our_own_feed_makes_no_echo(calendars: Calendars) -> None:
    """ST-16: events under our UIDs are skipped."""
    body = await calendars.file(lecture(uid="evt_1@steward"))
    assert (counts(body), body["own"], await calendars.events()) == ((0, 0, 0, 0), 1, [])


async def test_a_text_that_is_no_calendar_is_refused(calendars: Calendars) -> None:
    """§18: nothing is stored."""
    with pytest.raises(ValidationFailed, match="not an iCalendar text"):
        await calendars.importing.import_text(calendars.caller, "uni", b"<html>")
    assert await calendars.sources() == []


async def test_a_repeated_key_gives_the_stored_answer(calendars: Calendars) -> None:
    """ST-54: also where the calendar would be read anew."""
    keyed = Keyed("key-1", "POST", "/api/v1/calendars/import", {"name": "uni"})
    first = await calendars.importing.import_text(calendars.caller, "uni", calendar(lecture()), keyed=keyed)
    again = await calendars.importing.import_text(calendars.caller, "uni", calendar(lecture()), keyed=keyed)
    assert (again.replayed, again.body) == (True, first.body)
    other = Keyed("key-1", "POST", "/api/v1/calendars/import", {"name": "club"})
    with pytest.raises(IdempotencyMismatch):
        await calendars.importing.import_text(calendars.caller, "club", calendar(lecture()), keyed=other)


class MovesAway:
    """Reads, and lets the person move to another zone while it does."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars, self._here, self.readings = calendars, calendars.importing._reader, 0

    async def read(self, text: bytes, frame: object) -> object:
        self.readings += 1
        if self.readings == 1:

            async def move(tx: Writing) -> None:
                await tx.change(UserRow, {"user_id": self._calendars.person}, {"zone": "Europe/Berlin"})

            await self._calendars.storage.write(move)
        return await self._here.read(text, frame)  # type: ignore[arg-type]


async def test_a_person_who_moves_meanwhile_gets_their_own_midnights(calendars: Calendars) -> None:
    """ST-3, ST-12: what was read for another zone is not written; it is read again."""
    reader = MovesAway(calendars)
    calendars.importing._reader = reader  # type: ignore[assignment]
    await calendars.file(event("DTSTART;VALUE=DATE:20261125"))
    (row,) = await calendars.events()
    assert (f"{row.start_at:%dT%H:%M}", row.zone, reader.readings) == ("24T23:00", "Europe/Berlin", 2)


async def test_import_while_another_change_runs_gives_one_of_the_two_orders(calendars: Calendars) -> None:
    """ST-47: the person's lock puts them one after the other; nothing is lost of either."""

    async def confirm(tx: Writing) -> None:
        seen = len(await tx.all(EventRow, {"user_id": calendars.person, "origin": "import"}))
        await tx.change(CalendarRow, {"user_id": calendars.person}, {"revision": Raise()})
        read.append(seen)

    read: list[int] = []
    await asyncio.gather(
        calendars.file(*(lecture(uid=f"{number}@x") for number in range(300))),
        calendars.storage.change(calendars.person, confirm),
    )
    assert read in ([0], [300])
    assert (len(await calendars.events()), await revision(calendars)) == (300, 2)


@pytest.mark.parametrize("first", ["confirm", "import"])
async def test_import_while_a_confirm_runs_gives_one_of_the_two_orders(told: Story, first: str) -> None:
    """ST-16, ST-40, ST-47: on each database; what came second has seen what came first, and nothing of either is lost."""
    preview, start = await told.suggest(), (await told.events())["evt_lecture"].end_at.astimezone(UTC)
    calendars = Calendars(told.storage, told.chance, PERSON)
    times = (f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{start + timedelta(minutes=30):%Y%m%dT%H%M%SZ}")
    confirm, taken_in = told.confirm(preview), calendars.file(event(*times))
    if first == "confirm":
        answer, body = await asyncio.gather(confirm, taken_in)
    else:
        body, answer = await asyncio.gather(taken_in, confirm)
    (imported,) = [row for row in await calendars.events() if row.origin == "import"]
    assert (counts(body), imported.start_at) == ((1, 0, 0, 0), start)
    placed = [row for row in await calendars.events() if row.task_id == "tsk_lab"]
    if answer.status == 200:
        assert (len(placed), placed[0].start_at) == (1, start)
    else:
        assert (answer.status, answer.body["changed"]) == (412, [f"event {imported.event_id}"])
        assert (placed, (await told.preview(preview.preview_id)).status) == ([], "ready")
    assert await revision(calendars) == 1 + len(placed)


async def test_a_feed_is_read_when_it_is_added(calendars: Calendars, clock: ManualClock) -> None:
    """ST-16: its address is sealed in the row and not shown; `webcal:` is https."""
    values = {"url": URL.replace("https:", "webcal:"), "refresh_minutes": 30}
    answer = await calendars.importing.add_feed(calendars.caller, values)
    assert (answer.status, counts(answer.body), answer.body["last_status"]) == (201, (1, 0, 0, 0), "ok")
    (source,) = await calendars.sources()
    assert (source.name, source.etag, source.next_refresh_at) == (
        "calendar.example",
        '"1"',
        clock.now() + timedelta(minutes=30),
    )
    assert "private" not in str(answer.body)
    assert source.url is not None
    assert URL not in source.url
    assert calendars.client.asked == [(URL, None)]


async def test_a_feed_that_cannot_be_read_is_kept_with_its_reason(calendars: Calendars, clock: ManualClock) -> None:
    """§18: source `failed`, tried again by back-off."""
    calendars.client.answer = FeedFailure("its server answered 404")
    answer = await calendars.importing.add_feed(calendars.caller, {"url": URL})
    assert (answer.body["last_status"], answer.body["last_error"]) == ("failed", "its server answered 404")
    (source,) = await calendars.sources()
    assert source.next_refresh_at is not None
    assert timedelta(minutes=2) < source.next_refresh_at - clock.now() <= timedelta(minutes=5)


@pytest.mark.parametrize("url", ["", "ftp://x/y", "calendar", "https://", "http://[", None])
async def test_what_is_no_address_is_refused(calendars: Calendars, url: object) -> None:
    """§18: naming the field."""
    with pytest.raises(ValidationFailed) as refused:
        await calendars.importing.add_feed(calendars.caller, {"url": url})
    assert refused.value.field == "url"


async def test_a_due_feed_is_refreshed_and_then_waits(calendars: Calendars, clock: ManualClock) -> None:
    """ST-16: nothing before its time; on the first reading of a day the whole of it, then only what changed."""
    await calendars.importing.add_feed(calendars.caller, {"url": URL})
    assert await calendars.feeds.refresh_once() == 0
    clock.advance(timedelta(minutes=61))
    calendars.client.answer = FeedText(calendar(lecture("LOCATION:Room 2")), etag='"2"')
    assert await calendars.feeds.refresh_once() == 1
    assert [row.location for row in await calendars.events()] == ["Room 2"]
    clock.advance(timedelta(minutes=61))
    calendars.client.answer = FeedUnchanged()
    assert await calendars.feeds.refresh_once() == 1
    assert [etag for _, etag in calendars.client.asked] == [None, None, '"2"']
    (source,) = await calendars.sources()
    assert (source.last_status, source.lease_until, source.next_refresh_at) == (
        "ok",
        None,
        clock.now() + timedelta(minutes=60),
    )


async def test_a_series_rolls_forward_daily(calendars: Calendars, clock: ManualClock) -> None:
    """ST-16: the next day it is read whole, and the occurrences that have come into the frame are added."""
    text = calendar(lecture("RRULE:FREQ=DAILY"))
    calendars.client.answer = FeedText(text, etag='"1"')
    await calendars.importing.add_feed(calendars.caller, {"url": URL})
    before = len(await calendars.events())
    clock.advance(timedelta(days=1))
    assert await calendars.feeds.refresh_once() == 1
    assert calendars.client.asked[-1] == (URL, None)
    assert len(await calendars.events()) == before + 1


async def test_a_failing_feed_keeps_its_events_and_waits_longer_each_time(
    calendars: Calendars, clock: ManualClock
) -> None:
    """§18: events of the last good read stay; back-off."""
    await calendars.importing.add_feed(calendars.caller, {"url": URL})
    waits = []
    answers: list[FeedText | FeedFailure] = [
        *[FeedFailure("no")] * 2,
        FeedText(b"<html>"),
        FeedText(calendar(lecture())),
    ]
    for answer in answers:
        clock.advance(timedelta(hours=7))
        calendars.client.answer = answer
        assert await calendars.feeds.refresh_once() == 1
        (source,) = await calendars.sources()
        assert source.next_refresh_at is not None
        waits.append((source.next_refresh_at - clock.now(), source.last_status, source.last_error))
    minutes = [wait / timedelta(minutes=1) for wait, _, _ in waits]
    assert minutes == [3.75, 7.5, 15, 60]
    assert [status for _, status, _ in waits] == ["failed", "failed", "failed", "ok"]
    assert [error for _, _, error in waits] == ["no", "no", "not an iCalendar text", None]
    assert [row.status for row in await calendars.events()] == ["confirmed"]


async def test_who_lost_the_lease_writes_nothing(calendars: Calendars, clock: ManualClock) -> None:
    """ST-16, ST-47: a feed is refreshed under its source's lease."""
    await calendars.importing.add_feed(calendars.caller, {"url": URL})
    clock.advance(timedelta(hours=2))
    (late,) = await calendars.storage.take(SourceRow, (), "worker-0", timedelta(minutes=5), 4)
    clock.advance(timedelta(minutes=6))
    assert await calendars.feeds.refresh_once() == 1
    fetched = await calendars.reading.fetch(late, whole=True)
    assert (
        await calendars.storage.change(
            calendars.person, lambda tx: calendars.reading.record(tx, late, fetched, timedelta(minutes=5))
        )
        is None
    )


async def test_a_person_refreshes_a_feed_at_once(calendars: Calendars) -> None:
    """§12: whenever it is due; a file has nothing to read again; another's source is not there."""
    added = await calendars.importing.add_feed(calendars.caller, {"url": URL})
    calendars.client.answer = FeedText(calendar(lecture(), lecture(uid="b@x")))
    answer = await calendars.importing.refresh(calendars.caller, added.body["source_id"])
    assert counts(answer.body) == (1, 0, 0, 1)
    file = await calendars.file(lecture())
    with pytest.raises(ValidationFailed):
        await calendars.importing.refresh(calendars.caller, file["source_id"])
    with pytest.raises(NotFound):
        await calendars.importing.refresh(replace(calendars.caller, user_id="usr_bob"), added.body["source_id"])


async def test_a_removed_source_takes_its_events_along(calendars: Calendars) -> None:
    """ST-16, §2: they are cancelled; the list no longer shows it."""
    body = await calendars.file(lecture())
    kept = await calendars.file(lecture(), name="club")
    answer = await calendars.importing.remove(calendars.caller, body["source_id"])
    assert answer.body["cancelled"] == 1
    assert {row.source_id: row.status for row in await calendars.events()} == {
        body["source_id"]: "cancelled",
        kept["source_id"]: "confirmed",
    }
    listed = await calendars.importing.list(calendars.caller)
    assert [item["source_id"] for item in listed["items"]] == [kept["source_id"]]
