"""A process that answers previews as fast as it can: it confirms, edits, ignores and lets expire, round by round.

Every call is written down before and after, in one line each, so that a judge knows what a process that was killed had begun.
"""

import asyncio
import json
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from faults.calendar_day import person, preview_id, storage_of, with_driver
from faults.shop import Cell
from outrider.runtime.system_clock import SystemClock
from outrider.testing.faults import Board
from steward.bootstrap.chance import SystemChance
from steward.domain.errors import StewardError
from steward.domain.resuggesting import Resuggestion
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import StorageProblem, Writing
from steward.service.answer import Answer, Caller, Keyed
from steward.service.confirming import ApplySettings, Confirming
from steward.service.ending import expire_preview
from steward.service.events import Events
from steward.service.instants import parse_instant
from steward.service.listing import Listing
from steward.service.person import Defaults
from steward.service.previews import Previews

STARTER: Final = "starter.board"
CALLS: Final = 5
"""Of each process in each round."""
KEYS: Final = 3
LOOK_SECONDS: Final = 0.001
SHORTENED: Final = timedelta(minutes=75)
METHODS: Final = ("move_one", "move_one", "compress", "late", "none")
OPERATIONS: Final = ("confirm", "confirm", "confirm", "confirm", "edit", "occupy", "ignore", "expire")


class Site:
    """The host's clock and chance, as the source of ids takes them."""

    def __init__(self) -> None:
        self._clock = SystemClock()

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock.now().timestamp() * 1000)

    def chance(self) -> float:
        """In [0, 1)."""
        return self._clock.chance()

    def random_bytes(self, size: int) -> bytes:
        """For ids."""
        return self._clock.random_bytes(size)


@dataclass(frozen=True)
class Tap:
    """One call: what to do, with which key, which candidate and which edit."""

    operation: str
    key: str
    method: str
    edited: bool


def plan(seed: int, number: int, process: int) -> list[Tap]:
    """What this process does in this round."""
    chance = random.Random(f"{seed}/{number}/{process}")
    return [
        Tap(
            chance.choice(OPERATIONS),
            f"key-{chance.randrange(KEYS)}",
            chance.choice(METHODS),
            chance.random() < 0.2,
        )
        for _ in range(CALLS)
    ]


class Tapper:
    """The services of one process."""

    def __init__(self, cell: Cell) -> None:
        self.storage = storage_of(with_driver(cell.database))
        chance, defaults = SystemChance(Site()), Defaults()
        listing = Listing((b"k" * 32,))
        self._chance = chance
        self.confirming = Confirming(storage=self.storage, chance=chance, defaults=defaults, settings=ApplySettings())
        self.previews = Previews(storage=self.storage, listing=listing, defaults=defaults)
        self.events = Events(storage=self.storage, chance=chance, listing=listing, defaults=defaults)

    async def call(self, number: int, tap: Tap) -> dict[str, Any]:
        """Make the call: what came of it."""
        caller = Caller(person(number), "cd" * 16, locale="en")
        try:
            told: dict[str, Any] = await getattr(self, f"_{tap.operation}")(caller, number, tap)
        except (StewardError, StorageProblem) as error:
            return {"code": getattr(error, "code", type(error).__name__)}
        return told

    async def _confirm(self, caller: Caller, number: int, tap: Tap) -> dict[str, Any]:
        items = await self._items(number)
        chosen = next(item for item in items if item["method"] == tap.method)
        values: dict[str, object] = {"candidate_id": chosen["candidate_id"]}
        if tap.edited and len(chosen["changes"]) > 1:
            values["edited_changes"] = [{"change_id": chosen["changes"][1]["change_id"], "drop": True}]
        answer = await self.confirming.confirm(
            caller, preview_id(number), values, if_match=chosen["base_version"], key=tap.key
        )
        return _told(answer)

    async def _ignore(self, caller: Caller, number: int, tap: Tap) -> dict[str, Any]:
        path = f"/api/v1/previews/{preview_id(number)}/ignore"
        asked = Keyed(f"ignore-{tap.key}", "POST", path, {})
        return _told(await self.previews.ignore(caller, preview_id(number), {}, keyed=asked))

    async def _edit(self, caller: Caller, number: int, tap: Tap) -> dict[str, Any]:
        """End the block that would make room a quarter of an hour earlier."""
        name = f"evt_{number:06}_chapter"
        seen = await self.events.get(caller, name)
        values = {"end_at": (parse_instant(seen["start_at"], "start_at") + SHORTENED).isoformat()}
        version = str(seen["version"])
        asked = Keyed(f"edit-{tap.key}", "PATCH", f"/api/v1/events/{name}", values, version)
        return _told(await self.events.edit(caller, name, values, keyed=asked, if_match=version))

    async def _occupy(self, caller: Caller, number: int, tap: Tap) -> dict[str, Any]:
        """Put something where the block would go."""
        gym = parse_instant((await self.events.get(caller, f"evt_{number:06}_gym"))["end_at"], "end_at")
        start, end = gym + timedelta(hours=1), gym + timedelta(hours=1.5)
        values = {"title": "call", "start_at": start.isoformat(), "end_at": end.isoformat()}
        asked = Keyed(f"occupy-{tap.key}", "POST", "/api/v1/events", values)
        return _told(await self.events.create(caller, values, keyed=asked))

    async def _expire(self, caller: Caller, number: int, tap: Tap) -> dict[str, Any]:
        """What the reconciler does."""
        del tap

        async def work(tx: Writing) -> bool:
            preview = await tx.one(PreviewRow, {"preview_id": preview_id(number)})
            if preview is None or preview.status != "ready" or preview.expires_at > tx.now:
                return False
            return await expire_preview(tx, preview, Resuggestion(), self._chance)

        return {"code": "expired" if await self.storage.change(caller.user_id, work) else "not_due"}

    async def _items(self, number: int) -> list[dict[str, Any]]:
        preview = await self.storage.read(lambda tx: tx.one(PreviewRow, {"preview_id": preview_id(number)}))
        if preview is None:
            raise RuntimeError(f"round {number} has no preview")
        items: list[dict[str, Any]] = preview.candidates_json["items"]
        return items


def _told(answer: Answer) -> dict[str, Any]:
    body: Mapping[str, Any] = answer.body
    return {
        "status": answer.status,
        "code": body.get("code", "ok"),
        "apply_id": body.get("apply_id"),
        "replayed": answer.replayed,
        "body": json.dumps(body, sort_keys=True),
    }


async def tap(cell: Cell, name: str, board: Board, rounds: Board) -> None:
    """Answer round after round until killed; `rounds` says which was entered and which is done."""
    folder, process = Path(cell.state_dir), int(name.split("-")[1])
    starter, tapper = Board(folder / STARTER), Tapper(cell)
    log = os.open(folder / f"{name}.calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    done, count = starter.begun, 0
    rounds.settle(done)
    board.mark_ready()
    while True:
        number = _next_round(starter, done)
        rounds.begin(number)
        for place, one in enumerate(plan(cell.seed, number, process)):
            count += 1
            board.begin(count)
            said = {"round": number, "place": f"{name}/{place}", **one.__dict__}
            os.write(log, (json.dumps(said) + "\n").encode())
            outcome = await tapper.call(number, one)
            os.write(log, (json.dumps({**said, "outcome": outcome}) + "\n").encode())
            board.settle(count)
        done = number
        rounds.settle(done)


def _next_round(starter: Board, done: int) -> int:
    """Wait until another round has begun; nothing else of this process is at work meanwhile."""
    while (number := starter.begun) <= done:
        time.sleep(LOOK_SECONDS)
    return number


def run(name: str, cell: Cell, board: Board) -> None:
    """The process `DATABASE-PLACE-NUMBER` of the cell."""
    rounds = Board(Path(cell.state_dir) / f"{name}.rounds")
    asyncio.run(tap(cell, name, board, rounds))
