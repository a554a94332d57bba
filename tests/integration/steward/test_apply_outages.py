"""Confirms and undos of which nothing, or all, is left: where a write fails, an answer is lost, or the process is killed.

ST-43 to ST-49 on each database, with SIGKILL at every step of the one transaction.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, TypeVar

import pytest

from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import OutgoingMessage, Storage, Unavailable, Writing
from steward.service.answer import Answer
from steward.service.problems import AlreadyApplied
from tests.integration.steward.dying import Deaths
from tests.integration.steward.everywhere import Log, everything
from tests.integration.steward.parts import Database
from tests.integration.steward.stories import CALLER, Story, candidate

pytestmark = pytest.mark.timeout(180)
T = TypeVar("T")
TAPS = 64
BESIDE = 7
"""How many tap beside the one that dies, at each of its steps."""


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


class _Mute(_Counted):
    async def add(self, *messages: OutgoingMessage) -> None:
        raise Unavailable(messages)


class Muted(Stumbling):
    """A storage that takes no message."""

    async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
        return await self._storage.change(user_id, lambda tx: work(_Mute(tx, self)))


async def confirm_on(story: Story, storage: Any, preview: PreviewRow, key: str = "key-1") -> Answer:  # noqa: ANN401  a double
    chosen = candidate(preview, "move_one")
    return await story.confirming(storage).confirm(
        CALLER, preview.preview_id, {"candidate_id": chosen["candidate_id"]}, if_match=chosen["base_version"], key=key
    )


def given(preview: PreviewRow) -> tuple[str, str, str]:
    """What a process is told of it."""
    chosen = candidate(preview, "move_one")
    return preview.preview_id, chosen["candidate_id"], chosen["base_version"]


async def outcome(story: Story, preview: PreviewRow) -> tuple[str, list[str]]:
    """What became of a preview, and the applies of it."""
    applies = [apply.status for apply in await story.applies() if apply.preview_id == preview.preview_id]
    return (await story.preview(preview.preview_id)).status, applies


async def test_failed_apply_leaves_no_half_rows(told: Story, anywhere: Database, log: Log, deaths: Deaths) -> None:
    """ST-4, ST-43, ST-45, ST-48: whichever write fails, nothing of it stays; a process that dies before its commit leaves
    every table as it was, after it nothing undone.
    """
    preview = await told.suggest()
    before, writes = await told.events(), 0
    while True:
        try:
            await confirm_on(told, Stumbling(told.storage, writes), preview, f"key-{writes}")
            break
        except Unavailable:
            assert await told.events() == before
            status, applies = await outcome(told, preview)
            assert (status, {*applies} <= {"failed"}) == ("ready", True)
            assert {*await log.types()} <= {"schedule.apply.failed"}
            writes += 1
    assert writes > 5
    assert (await told.preview(preview.preview_id)).status == "applied"
    await told.undo(preview)

    other = await told.suggest()
    rows, seen = await everything(anywhere.engine), Counter[str]()
    for step in deaths.of("confirm", *given(other), "killed"):
        status, applies = await outcome(told, other)
        seen[status] += 1
        if status == "ready":
            assert await everything(anywhere.engine) == rows, step
        else:
            assert (status, applies) == ("applied", ["applied"]), step
    assert seen["ready"] > 15
    assert seen["applied"] == 1


@pytest.mark.parametrize("said", ["succeeded", "failed", "undone"])
async def test_apply_messages_commit_with_the_rows(told: Story, log: Log, deaths: Deaths, said: str) -> None:
    """ST-4, ST-44, ST-49: no apply, no refusal and no undo without its message, wherever the process dies."""
    preview = await told.suggest()
    with pytest.raises(Unavailable):
        await confirm_on(told, Muted(told.storage, 100), preview)
    assert (await outcome(told, preview), await log.sent()) == (("ready", []), [])
    work, arguments = "confirm", [*given(preview), "key-1"]
    if said == "undone":
        await told.confirm(preview)
        work, arguments = "undo", [preview.preview_id, "undo-1"]
    elif said == "failed":
        lecture = (await told.events())["evt_lecture"]
        await told.change_event("evt_chapter", start_at=lecture.end_at.replace(minute=45))
    seen = Counter[bool]()
    for step in deaths.of(work, *arguments):
        (status, applies), messages = await outcome(told, preview), await log.types()
        there = {
            "succeeded": (status, applies) == ("applied", ["applied"]),
            "failed": (status, applies) == ("ready", ["rejected"]),
            "undone": (status, applies) == ("undone", ["applied"]),
        }[said]
        assert (messages.count(f"schedule.apply.{said}"), status in {"ready", "applied"} or there) == (there, True), (
            step
        )
        seen[there] += 1
    assert seen[False] > 10
    assert seen[True] == 1


async def test_an_outage_is_recorded_once_and_its_key_goes_on(told: Story, log: Log) -> None:
    """ST-45: `failed` with its message the first time; the same key does the work later and takes the row over."""
    preview = await told.suggest()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await confirm_on(told, Deaf(told.storage, False), preview)
    (failed,) = await told.applies()
    assert (failed.status, failed.error_code, failed.response_status) == ("failed", "unavailable", None)
    answer = await confirm_on(told, told.storage, preview)
    assert (answer.status, answer.replayed) == (200, False)
    (apply,) = await told.applies()
    assert (apply.apply_id, apply.status, apply.error_code) == (failed.apply_id, "applied", None)
    first, second = await log.sent()
    assert (first.type, second.type) == ("schedule.apply.failed", "schedule.apply.succeeded")
    assert first.body["apply_status"] == "failed"


async def test_lost_commit_answer_is_healed_by_the_same_key(told: Story, log: Log, deaths: Deaths) -> None:
    """ST-45: the apply row is there, or the work is done now; so, too, wherever the process died that was to answer."""
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
    await told.undo(other, key="undo-2")

    seen = Counter[bool]()
    for step in count():
        preview = await told.suggest()
        with deaths.at(step, "confirm", *given(preview), f"killed-{step}") as dies:
            pass
        applied = (await told.preview(preview.preview_id)).status == "applied"
        answer = await confirm_on(told, told.storage, preview, f"killed-{step}")
        assert (answer.status, answer.replayed) == (200, applied), step
        assert await outcome(told, preview) == ("applied", ["applied"])
        await told.undo(preview, key=f"back-{step}")
        seen[applied] += 1
        if not dies:
            break
    assert seen[False] > 15
    assert seen[True] == 2
    told_of = Counter(await log.types())
    assert told_of == {f"schedule.apply.{said}": seen.total() + 2 for said in ("succeeded", "undone")}


async def test_sixty_four_taps_make_one_apply(told: Story, deaths: Deaths) -> None:
    """ST-46, ST-47, ST-48: with one key all get one answer, with many one wins and the others learn its id; so, too, where
    one that holds the lock dies while others wait for it.
    """
    preview = await told.suggest()
    same = await asyncio.gather(*(confirm_on(told, told.storage, preview) for _ in range(TAPS)))
    assert Counter(answer.replayed for answer in same) == {True: TAPS - 1, False: 1}
    assert len({answer.body["apply_id"] for answer in same}) == 1
    await told.undo(preview)

    other = await told.suggest()
    calls = [confirm_on(told, told.storage, other, f"key-{number}x") for number in range(TAPS)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    await one_has_won(told, other, found)
    await told.undo(other, key="undo-2")

    seen = Counter[bool]()
    for step in count():
        preview = await told.suggest()
        with deaths.at(step, "confirm", *given(preview), f"dead-{step}") as dies:
            applied = (await told.preview(preview.preview_id)).status == "applied"
            taps = [confirm_on(told, told.storage, preview, f"beside-{step}-{number}") for number in range(BESIDE)]
            waiting = asyncio.gather(*taps, return_exceptions=True)
            await asyncio.wait([waiting], timeout=0.01)
        await one_has_won(told, preview, await waiting, others=applied)
        await told.undo(preview, key=f"back-{step}")
        seen[applied] += 1
        if not dies:
            break
    assert seen[False] > 15
    assert seen[True] == 2


async def one_has_won(
    story: Story, preview: PreviewRow, found: Sequence[Answer | BaseException], *, others: bool = False
) -> None:
    """Of these answers one tells of the apply, or that of another process; the rest learn its id, and there is one block."""
    won = [one for one in found if not isinstance(one, BaseException)]
    lost = [one for one in found if isinstance(one, AlreadyApplied)]
    assert (len(won), len(won) + len(lost)) == (not others, len(found)), Counter(type(one).__name__ for one in found)
    (apply,) = [one for one in await story.applies() if one.preview_id == preview.preview_id]
    assert {one.apply_id for one in lost} | {one.body["apply_id"] for one in won} == {apply.apply_id}
    blocks = [row for row in (await story.events()).values() if row.task_id == "tsk_lab" and row.status != "cancelled"]
    assert [block.apply_id for block in blocks] == [apply.apply_id]
