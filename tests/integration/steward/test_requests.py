"""Keys, kept answers and versions: ST-54."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import StewardError, ValidationFailed
from steward.ports.rows.answer import RequestRow
from steward.ports.rows.calendar import CalendarRow
from steward.ports.storage import Busy, Raise, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed, keyed
from steward.service.problems import IdempotencyInProgress, IdempotencyMismatch

CALLER = Caller("usr_anna", "ab" * 16)
ASKED = Keyed("key-1", "POST", "/api/v1/tasks", {"title": "Lab report"})
MADE = Answer(201, {"task_id": "tsk_1"}, etag="1", location="/api/v1/tasks/tsk_1", resource_id="tsk_1")


async def raise_revision(tx: Writing) -> Answer:
    await tx.change(CalendarRow, {"user_id": "usr_anna"}, {"revision": Raise()})
    return MADE


async def revision(storage: Storage) -> int:
    row = await storage.read(lambda tx: tx.one(CalendarRow, {"user_id": "usr_anna"}))
    assert row is not None
    return row.revision


async def test_the_same_key_has_its_effect_once(storage: Storage) -> None:
    """ST-54: and the first one's answer, headers too."""
    assert await keyed(storage, CALLER, ASKED, "tasks.create", raise_revision) == MADE
    assert await keyed(storage, CALLER, ASKED, "tasks.create", raise_revision) == replace(MADE, replayed=True)
    assert await revision(storage) == 1
    (kept,) = await storage.read(lambda tx: tx.all(RequestRow, {}))
    assert (kept.operation, kept.resource_id, kept.response_status) == ("tasks.create", "tsk_1", 201)


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, method="PUT"),
        replace(ASKED, path="/api/v1/events"),
        replace(ASKED, body={"title": "Another"}),
        replace(ASKED, if_match='"1"'),
    ],
)
async def test_another_request_under_the_same_key_is_refused(storage: Storage, other: Keyed) -> None:
    """ST-54: the fingerprint has method, path, version and body."""
    await keyed(storage, CALLER, ASKED, "tasks.create", raise_revision)
    with pytest.raises(IdempotencyMismatch):
        await keyed(storage, CALLER, other, "tasks.create", raise_revision)
    assert await revision(storage) == 1


async def test_a_kept_answer_is_forgotten_after_a_day(storage: Storage, clock: ManualClock) -> None:
    """ST-54: 24 h; then the key is a new one."""
    await keyed(storage, CALLER, ASKED, "tasks.create", raise_revision)
    clock.advance(timedelta(hours=24))
    again = await keyed(storage, CALLER, replace(ASKED, body={}), "tasks.create", raise_revision)
    assert (again.replayed, await revision(storage)) == (False, 2)


async def test_a_refusal_is_kept_by_nobody(storage: Storage) -> None:
    """ST-54: the answer is written in the effect's own transaction, so without an effect there is none."""

    async def refuse(tx: Writing) -> Answer:
        await raise_revision(tx)
        raise StewardError

    with pytest.raises(StewardError):
        await keyed(storage, CALLER, ASKED, "tasks.create", refuse)
    assert await revision(storage) == 0
    assert await storage.read(lambda tx: tx.count(RequestRow, {})) == 0
    assert not (await keyed(storage, CALLER, ASKED, "tasks.create", raise_revision)).replayed


class Locked:
    """A storage whose person is at work elsewhere."""

    async def change(self, user_id: str, _work: Callable[[Writing], Awaitable[Answer]]) -> Answer:
        raise Busy(user_id)


async def test_a_lock_that_is_not_had_says_that_a_twin_is_at_work() -> None:
    """ST-54: with a key; without one the storage's own word passes, as unavailable."""
    locked: Any = Locked()
    with pytest.raises(IdempotencyInProgress):
        await keyed(locked, CALLER, ASKED, "tasks.create", raise_revision)
    with pytest.raises(Busy):
        await keyed(locked, CALLER, None, "tasks.create", raise_revision)


async def test_a_fraction_in_a_body_has_no_fingerprint(storage: Storage) -> None:
    """ST-5, ST-54."""
    with pytest.raises(ValidationFailed):
        await keyed(storage, CALLER, replace(ASKED, body={"a": 1.5}), "tasks.create", raise_revision)
