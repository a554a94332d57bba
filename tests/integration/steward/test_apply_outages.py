"""Confirms that meet a storage that fails, or one another: ST-43 to ST-48 on each database where it matters."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from os import urandom
from typing import Any, TypeVar

import pytest

from steward.ports.chance import Chance
from steward.ports.storage import OutgoingMessage, Storage, Unavailable, Writing
from steward.service.problems import AlreadyApplied
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.parts import Database, Sent, SetChance
from tests.integration.steward.stories import CALLER, Story, candidate

T = TypeVar("T")
TAPS = 64


@pytest.fixture
async def story(storage: Storage, chance: Chance) -> Story:
    made = Story(storage, chance)
    await made.begin()
    return made


class Deaf:
    """A storage whose answers to the first commits are lost, of which each takes place or not."""

    def __init__(self, storage: Storage, *commits: bool) -> None:
        self._storage, self._commits = storage, list(commits)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  any method
        return getattr(self._storage, name)

    async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
        if not self._commits:
            return await self._storage.change(user_id, work)
        if self._commits.pop(0):
            await self._storage.change(user_id, work)
        raise Unavailable


class Stumbling:
    """A transaction that fails at its n-th write, in a storage that fails with it."""

    def __init__(self, storage: Storage, writes: int) -> None:
        self._storage, self._writes = storage, writes

    async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
        return await self._storage.change(user_id, lambda tx: work(_Counted(tx, self)))

    def step(self) -> None:
        self._writes -= 1
        if self._writes < 0:
            raise Unavailable


class _Counted:
    def __init__(self, tx: Writing, owner: Stumbling) -> None:
        self._tx, self._owner = tx, owner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  any method
        if name in {"insert", "insert_all", "change", "add"}:
            self._owner.step()
        return getattr(self._tx, name)


async def confirm_on(story: Story, storage: Any, preview: Any, key: str = "key-1") -> Any:  # noqa: ANN401  a double
    chosen = candidate(preview, "move_one")
    return await story.confirming(storage).confirm(
        CALLER, preview.preview_id, {"candidate_id": chosen["candidate_id"]}, if_match=chosen["base_version"], key=key
    )


async def test_failed_apply_leaves_no_half_rows(story: Story, sent: Callable[[], list[Sent]]) -> None:
    """ST-4, ST-43, ST-45: whichever write fails, nothing of it stays."""
    preview = await story.suggest()
    before, writes = await story.events(), 0
    while True:
        try:
            await confirm_on(story, Stumbling(story.storage, writes), preview, f"key-{writes}")
            break
        except Unavailable:
            assert await story.events() == before
            assert (await story.preview(preview.preview_id)).status == "ready"
            assert {apply.status for apply in await story.applies()} <= {"failed"}
            assert {message.type for message in sent()} <= {"schedule.apply.failed"}
            writes += 1
    assert writes > 5
    assert (await story.preview(preview.preview_id)).status == "applied"


async def test_apply_messages_commit_with_the_rows(story: Story, sent: Callable[[], list[Sent]]) -> None:
    """ST-4: no apply without its message."""

    class Mute(_Counted):
        async def add(self, *messages: OutgoingMessage) -> None:
            raise Unavailable(messages)

    class Muted(Stumbling):
        async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
            return await self._storage.change(user_id, lambda tx: work(Mute(tx, self)))

    preview = await story.suggest()
    with pytest.raises(Unavailable):
        await confirm_on(story, Muted(story.storage, 100), preview)
    assert (await story.applies(), sent()) == ([], [])
    assert (await story.preview(preview.preview_id)).status == "ready"


async def test_an_outage_is_recorded_once_and_its_key_goes_on(story: Story, sent: Callable[[], list[Sent]]) -> None:
    """ST-45: `failed` with its message the first time; the same key does the work later and takes the row over."""
    preview = await story.suggest()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await confirm_on(story, Deaf(story.storage, False), preview)
    (failed,) = await story.applies()
    assert (failed.status, failed.error_code, failed.response_status) == ("failed", "unavailable", None)
    answer = await confirm_on(story, story.storage, preview)
    assert (answer.status, answer.replayed) == (200, False)
    (apply,) = await story.applies()
    assert (apply.apply_id, apply.status, apply.error_code) == (failed.apply_id, "applied", None)
    assert [message.type for message in sent()] == ["schedule.apply.failed", "schedule.apply.succeeded"]
    assert sent()[0].body["apply_status"] == "failed"


@pytest.fixture
async def told(anywhere: Database) -> AsyncIterator[Story]:
    """The story on each database in turn, with time to wait for a lock; its log keeps the messages of earlier tests."""
    storage: AlchemyStorage = anywhere.patient()
    ids = SetChance()
    ids.made = int.from_bytes(urandom(5))
    made = Story(storage, ids)
    await made.begin()
    yield made
    await storage.close()


async def test_lost_commit_answer_is_healed_by_the_same_key(told: Story) -> None:
    """ST-45: the apply row is there, or the work is done now."""
    preview = await told.suggest()
    healed = await confirm_on(told, Deaf(told.storage, True), preview)
    assert (healed.status, healed.replayed) == (200, True)
    await told.undo(preview)
    other = await told.suggest()
    with pytest.raises(Unavailable):
        await confirm_on(told, Deaf(told.storage, True, False), other, "key-2")
    repeated = await confirm_on(told, told.storage, other, "key-2")
    assert (repeated.status, repeated.replayed) == (200, True)
    assert [apply.status for apply in await told.applies()] == ["applied", "applied"]
    assert repeated.body["apply_id"] == (await told.previews().get(CALLER, other.preview_id))["apply_id"]


async def test_sixty_four_taps_make_one_apply(told: Story) -> None:
    """ST-46, ST-47, ST-48: with one key all get one answer, with many one wins and the others learn its id."""
    preview = await told.suggest()
    same = await asyncio.gather(*(confirm_on(told, told.storage, preview) for _ in range(TAPS)))
    assert Counter(answer.replayed for answer in same) == {True: TAPS - 1, False: 1}
    assert len({answer.body["apply_id"] for answer in same}) == 1
    await told.undo(preview)

    other = await told.suggest()
    calls = [confirm_on(told, told.storage, other, f"key-{number}x") for number in range(TAPS)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    (won,) = [one for one in found if not isinstance(one, BaseException)]
    lost = [one for one in found if isinstance(one, AlreadyApplied)]
    assert len(lost) == TAPS - 1, Counter(type(one).__name__ for one in found)
    assert {one.apply_id for one in lost} == {won.body["apply_id"]}
    blocks = [row for row in (await told.events()).values() if row.task_id == "tsk_lab" and row.status != "cancelled"]
    assert [block.apply_id for block in blocks] == [won.body["apply_id"]]
