"""Record stores: leases of the dead, unknown ends, secrets under other keys. A subclass gives the fixture `harness`.

Source: spec/notification.md NT-13, NT-44, T16; spec/outbox.md OB-100.
"""

from dataclasses import replace

from outrider.core.errors import SecretUnreadable
from outrider.notification.states import Status
from outrider.notification.store import mending, people
from outrider.notification.store.finishing import recover
from outrider.notification.store.people import AddressRow
from outrider.notification.store.rekeying import count_plain, rekey
from outrider.testing.conformance.records_desk import PAST, Desk, destination_of, new_id, request
from outrider.testing.conformance.storage_harness import StorageHarness

PLAIN = '{"webhook_url":"plain:https://hook.example/1"}'


class MendingSuite:
    """What is mended besides what recovery settles."""

    async def test_leases_of_the_dead_end_at_once(self, harness: StorageHarness) -> None:
        """NT-13, OB-100: what it was sending is recovered, what it had claimed is due; another's leases live on."""
        desk, other = await Desk.open(harness), await Desk.open(harness, "two")
        await desk.give_address()
        sending = await desk.accept_one(request())
        (claimed,) = await desk.claim()
        begun = await desk.begun(claimed)
        waiting = await desk.accept_one(request(subject_id="2"))
        assert [one.id for one in await desk.claim()] == [waiting.id]
        held = await desk.accept_one(request(subject_id="3"))
        assert [one.id for one in await other.claim()] == [held.id]
        assert set(await desk.run(mending.read_owners())) == {"one", "two"}
        assert await other.run(recover(other.rules, 10)) == []
        await other.run(mending.end_leases("one"))
        assert await desk.run(mending.read_owners()) == ["two"]
        (settled,) = await other.run(recover(other.rules, 10))
        assert (settled.record.id, settled.record.status) == (sending.id, Status.FAILED)
        assert [one.id for one in await other.claim()] == [waiting.id]
        assert (await desk.read(begun.record.id)).epoch > begun.record.epoch
        for one in (desk, other):
            await one.close()

    async def test_unknown_records_are_read_by_channel_and_page(self, harness: StorageHarness) -> None:
        """T16: those of a channel, as long as they may be reopened, in the order of ids."""
        desk = await Desk.open(harness)
        made = [await desk.accept_one(request(subject_id=str(number))) for number in range(4)]
        now = made[0].created_at
        for record in made[:3]:
            await desk.change(record.id, status="unknown", next_retry_at=None, ended_at=now)
        await desk.change(made[3].id, status="unknown", next_retry_at=None, ended_at=PAST)
        first = await desk.run(mending.read_unknown(desk.rules, "bot", 2))
        rest = await desk.run(mending.read_unknown(desk.rules, "bot", 2, first[-1].id))
        assert [one.id for one in (*first, *rest)] == [one.id for one in made[:3]]
        assert await desk.run(mending.read_unknown(desk.rules, "mail", 10)) == []
        await desk.close()

    async def test_secrets_are_sealed_anew_in_steps(self, harness: StorageHarness) -> None:
        """NT-44: each once, in pages, resumable; what no key opens stays and is named; versions stay."""
        desk = await Desk.open(harness)
        given = {"anna": PLAIN, "ben": "lost", "cleo": "new", "dora": PLAIN}
        plain = list(given.values()).count(PLAIN)
        for name, text in given.items():
            await _give(desk, name, text)
        assert await desk.run(count_plain()) == plain
        before = await desk.run(people.read_address("anna", "bot"))

        def reseal(row: AddressRow) -> str | None:
            if row.secrets == "lost":
                raise SecretUnreadable(row.channel, "webhook_url")
            return None if row.secrets == "new" else "new"

        dry = await desk.run(rekey(reseal, 10, dry=True))
        assert (dry.looked_at, dry.changed, len(dry.unreadable), dry.behind) == (len(given), plain, 1, None)
        assert await desk.run(count_plain()) == plain
        first = await desk.run(rekey(reseal, 3))
        rest = await desk.run(rekey(reseal, 3, first.behind))
        assert first.looked_at + rest.looked_at == len(given)
        assert (first.changed + rest.changed, rest.behind) == (plain, None)
        again = await desk.run(rekey(reseal, 10))
        assert (again.changed, len(again.unreadable)) == (0, 1)
        assert await desk.run(count_plain()) == 0
        after = await desk.run(people.read_address("anna", "bot"))
        assert before is not None
        assert after == replace(before, secrets="new")
        await desk.close()


async def _give(desk: Desk, recipient_id: str, secrets: str) -> None:
    saved = people.save_address(
        new_id(), recipient_id, "bot", enabled=True, settings={}, secrets=secrets,
        destination_key=destination_of("bot").key,
    )  # fmt: skip
    assert await desk.run(saved) is not None
