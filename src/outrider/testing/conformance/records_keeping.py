"""Record stores: what is deleted when its time is over, and how much there is. A subclass gives the fixture `harness`.

Source: spec/notification.md §9, §13.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from outrider.core.notification.codes import Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.steps import Statement, Steps
from outrider.notification.policy import Retention
from outrider.notification.store.attempts import read_attempts
from outrider.notification.store.inbox import archive_item, list_items
from outrider.notification.store.pruning import is_done, prune
from outrider.notification.store.totals import read_totals
from outrider.testing.conformance.records_desk import INBOX, PAST, Desk, request
from outrider.testing.conformance.storage_harness import StorageHarness

DAY: Final = timedelta(days=1)
LONG: Final = 3_000 * DAY
BATCH: Final = 2
SHOWN: Final = SendResult(Outcome.SUCCESS, request_json={"url": "https://example.com/…"}, response_json={"ok": True})


class KeepingSuite:
    """Old rows go, young ones and live ones stay."""

    async def test_texts_then_attempts_then_records_go(self, harness: StorageHarness) -> None:
        """§9: by the time of their end; what has not ended, or ended lately, keeps everything."""
        desk = await Desk.open(harness)
        await desk.give_address()
        for subject in ("old", "young"):
            await desk.accept_one(request(subject_id=subject, title="t", summary_text="s", data={"a": 1}))
        first, second = [(await desk.finish(await desk.begun(one), SHOWN)).record for one in await desk.claim()]
        waiting = await desk.accept_one(request(subject_id="waits", title="t"))
        old = await desk.change(first.id, ended_at=PAST)
        await desk.run(_attempt_of_old(first.id))

        found = await desk.run(prune(Retention(texts=30 * DAY, attempts=LONG, records=LONG)))
        assert (found["texts"], found["bodies"], found["attempts"], found["records"]) == (1, 1, 0, 0)
        bare = await desk.read(old.id)
        assert (bare.title, bare.summary_text, bare.data_json, bare.content_json) == (None, None, None, None)
        assert (bare.status, bare.content_hash) == ("sent", old.content_hash)
        *_, attempt = await desk.run(read_attempts(old.id))
        assert (attempt.request_json, attempt.response_json, attempt.outcome) == (None, None, "success")

        found = await desk.run(prune(Retention(records=LONG)))
        assert (found["texts"], found["attempts"], found["records"]) == (0, 1, 0)
        found = await desk.run(prune(Retention()))
        assert found["records"] == 1
        assert is_done(found)

        for kept in (second, waiting):
            assert (await desk.read(kept.id)).title == "t"
        (attempt,) = await desk.run(read_attempts(second.id))
        assert attempt.request_json is not None
        await desk.close()

    async def test_a_record_takes_its_attempts_along(self, harness: StorageHarness) -> None:
        """§9: attempts never outlive their record, however long they are to be kept."""
        desk = await Desk.open(harness)
        await desk.give_address()
        await desk.accept_one(request())
        record = (await desk.send(SHOWN)).record
        await desk.change(record.id, ended_at=PAST)
        found = await desk.run(prune(Retention(texts=LONG, attempts=LONG)))
        assert found["records"] == 1
        assert await desk.run(read_attempts(record.id)) == []
        await desk.close()

    async def test_a_batch_at_a_time(self, harness: StorageHarness) -> None:
        """The oldest first, and no more than asked for."""
        desk = await Desk.open(harness)
        await desk.give_address()
        for number in range(3):
            await desk.accept_one(request(subject_id=str(number)))
        ended = [(await desk.finish(await desk.begun(one), SHOWN)).record for one in await desk.claim()]
        for place, one in enumerate(reversed(ended)):
            await desk.change(one.id, ended_at=PAST + place * DAY)
        found = await desk.run(prune(Retention(), BATCH))
        assert found["records"] == BATCH
        assert not is_done(found, BATCH)
        assert (await desk.read(ended[0].id)).status == "sent"
        assert is_done(await desk.run(prune(Retention(), BATCH)), BATCH)
        await desk.close()

    async def test_archived_items_go_and_read_ones_stay(self, harness: StorageHarness) -> None:
        """§9: what a person has not put away is the person's, and so is what was put away lately."""
        desk = await Desk.open(harness)
        for number in range(2):
            await desk.accept_one(request(subject_id=str(number), route=INBOX))
        one, _ = await desk.run(list_items("anna", 10))
        assert await desk.run(archive_item("anna", one.id))
        assert (await desk.run(prune(Retention())))["inbox"] == 0
        assert (await desk.run(prune(Retention(inbox=timedelta(microseconds=1)))))["inbox"] == 1
        assert len(await desk.run(list_items("anna", 10))) == 1
        await desk.close()

    async def test_scopes_go_when_their_window_has_passed(self, harness: StorageHarness) -> None:
        """§9, NT-4: an expired scope holds nothing; one that runs stays."""
        desk = await Desk.open(harness)
        made = [await desk.accept_one(request(subject_id=one, dedupe_key="k")) for one in ("old", "young")]
        params = {"scope_hash": made[0].scope_hash, "record_id": made[0].id, "expires_at": PAST}
        await desk.run(_yielding(Statement("pass_notification_scope", params)))
        assert (await desk.run(prune(Retention())))["scopes"] == 1
        left = [
            await desk.run(_yielding(Statement("read_notification_scope", {"scope_hash": one.scope_hash})))
            for one in made
        ]
        assert [bool(rows) for rows in left] == [False, True]
        await desk.close()

    async def test_totals_count_by_channel_state_and_hold(self, harness: StorageHarness) -> None:
        """§13: how much there is, and for how long the oldest has been due; what is held is not late."""
        desk = await Desk.open(harness)
        await desk.give_address()
        for number in range(3):
            await desk.accept_one(request(subject_id=str(number)))
        await desk.accept_one(request(route=INBOX))
        claimed = await desk.claim(1)
        await desk.finish(await desk.begun(claimed[0]), SHOWN)
        held = await desk.accept_one(request(subject_id="held"))
        await desk.change(held.id, hold="rate", next_retry_at=PAST)
        totals = await desk.run(read_totals())
        assert [(one.channel, one.status, one.hold, one.count) for one in totals.records] == [
            ("bot", "pending", None, 2), ("bot", "pending", "rate", 1), ("bot", "sent", None, 1), ("inbox", "sent", None, 1),
        ]  # fmt: skip
        assert [timedelta(0) < one.oldest_due < DAY for one in totals.records] == [True, False, False, False]
        assert list(totals.destinations) == [("bot", "closed", 1)]
        await desk.close()


def _attempt_of_old(record_id: UUID) -> Steps[None]:
    """An attempt of long ago, with its bodies."""
    key = {"record_id": record_id, "attempt_no": 2}
    begun = {
        **key, "generation": 1, "epoch": 1, "owner": "one", "form": "text", "provider_key": "nk1", "destination_key": None,
        "started_at": PAST,
    }  # fmt: skip
    nothing = dict.fromkeys(("error_class", "code", "provider_code", "http_status", "retry_after_ms", "message"))
    closed = {
        **key, **nothing, "finished_at": PAST, "latency_ms": 7, "outcome": "success", "maybe_done": False, "late": False,
        "request_json": "{}", "response_json": "{}",
    }  # fmt: skip
    yield Statement("insert_notification_attempt", begun)
    yield Statement("finish_notification_attempt", closed)


def _yielding(statement: Statement) -> Steps[list[tuple[object, ...]]]:
    rows = yield statement
    return list(rows)
