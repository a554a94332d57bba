"""Messages that go straight through: nothing lost, nothing invented, in order, nothing stalls."""

import asyncio
import random
from contextlib import suppress

import psycopg

from outrider.core.events import CursorAdvanced
from outrider.relay.settings import RelaySettings
from tests.integration.relay.rig import PREFIX, Rig


def fail() -> None:
    raise InterruptedError


async def test_what_committed_is_published_in_order(rig: Rig) -> None:
    """OB-1, OB-4, OB-37: every message once, in log order, over several batches; the position follows."""
    added = [
        message_id for part in range(5) for message_id in rig.database.add(*(f"key-{n % 7}" for n in range(part * 10)))
    ]
    await rig.started(RelaySettings(batch_size=20))
    await rig.recorder.until(len(added))
    assert rig.recorder.ids() == added
    await rig.events.wait_for(CursorAdvanced, lambda event: event.passed == len(added))
    assert rig.database.rows("SELECT passed, high_id, starts FROM {outbox_cursor}") == [(100, 100, 0)]


async def test_what_rolled_back_is_not_published(rig: Rig) -> None:
    """OB-2: nothing of a rolled-back transaction reaches the broker."""
    first = rig.database.add("a")
    with suppress(InterruptedError), rig.database.begin() as tx:
        tx.add("a")
        fail()
    last = rig.database.add("a")
    await rig.started()
    await rig.recorder.until(2)
    assert rig.recorder.ids() == first + last


async def test_a_late_commit_is_not_lost_and_stalls_nobody(pg: Rig) -> None:
    """OB-5, OB-18: a lower id that commits later arrives then; others do not wait for it, nor for a long transaction."""
    await pg.started()
    with psycopg.connect(pg.database.url) as idle:
        idle.execute("SELECT pg_current_xact_id()")
        with pg.database.begin() as slow:
            late = slow.add("late")
            quick = pg.database.add("quick", "quick")
            await pg.recorder.until(2)
            assert pg.recorder.ids() == quick
        await pg.recorder.until(3)
        assert pg.recorder.ids() == [*quick, late]
        more = pg.database.add("quick")
        await pg.recorder.until(4)
    assert pg.recorder.ids() == [*quick, late, *more]


async def test_concurrent_writers_lose_nothing_and_keep_each_key_in_order(pg: Rig) -> None:
    """OB-1, OB-2, OB-4, OB-18: writers with rollbacks, pauses and early transaction ids, read while they write."""
    await pg.started(RelaySettings(batch_size=10))
    committed: dict[str, list[str]] = {f"key-{n}": [] for n in range(4)}

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(pg.database.url, autocommit=True) as connection:
            for n in range(60):
                key = f"key-{chance.randrange(4)}"
                body = f"{seed}-{n}"
                try:
                    with connection.transaction():
                        if chance.random() < 0.5:
                            connection.execute("SELECT pg_current_xact_id()")
                        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (key,))
                        connection.execute(
                            f"INSERT INTO {PREFIX}outbox_message (message_id, type, version, topic, message_key, key_hash,"
                            " payload, content_type, max_retry) VALUES (gen_random_uuid(), 'order.placed', 1, 'orders',"
                            " %s, 1, convert_to(%s, 'UTF8'), 'application/json', 20)",
                            (key, body),
                        )
                        connection.execute("SELECT pg_sleep(%s)", (chance.random() * 0.004,))
                        if chance.random() < 0.2:
                            fail()
                        committed[key].append(body)
                except InterruptedError:
                    continue

    await asyncio.gather(*(asyncio.to_thread(write, seed) for seed in range(6)))
    total = sum(map(len, committed.values()))
    await pg.recorder.until(total)
    assert len(pg.recorder.taken) == total
    for key, bodies in committed.items():
        assert pg.recorder.bodies(key) == bodies


async def test_one_pass_publishes_what_is_there_and_says_so(rig: Rig) -> None:
    """OB-34: run_once publishes, up to a limit, gives the lane back and reports."""
    added = rig.database.add(*"abcde")
    relay = rig.relay()
    report = await relay.run_once(limit=3)
    assert (report.lanes, report.read, report.published, report.errors) == (1, 3, 3, ())
    assert (await relay.run_once()).published == 2
    assert rig.recorder.ids() == added
    assert rig.database.rows("SELECT owner, lease_until, starts FROM {outbox_cursor}") == [(None, None, 0)]


async def test_the_journal_dates_what_was_published(rig: Rig) -> None:
    """OB-22: while a lane moves, one row a second says how far it was; the last one holds all."""
    rig.database.add(*"abc")
    relay = await rig.started()
    await rig.recorder.until(3)
    await relay.stop(5)
    assert rig.database.rows("SELECT passed, last_id FROM {outbox_advance} ORDER BY seq")[-1] == (3, 3)
