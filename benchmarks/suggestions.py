"""A database full of persons, tasks and previews, made by Steward itself."""

import asyncio
import os
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from outrider.telemetry.fan_out import FanOut
from steward.bootstrap.derive import derived
from steward.bootstrap.roles import services_of
from steward.bootstrap.schema import migrate
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Reading
from steward.service.answer import SCOPES, Caller

URGENT_AGO: Final = timedelta(minutes=5)
DUE_AFTER: Final = timedelta(days=3)
TASK: Final = {"title": "Report", "priority_group": 1, "duration_minutes": 60}
KEY: Final = urlsafe_b64encode(bytes(range(32))).decode()
AT_ONCE: Final = 8
LOOK_SECONDS: Final = 0.2


def steward(database: str, port: int | None = None) -> Steward:
    """As shipped, with the embedded log, on this database; `port` 0 takes a free one."""
    environment = {**os.environ, "STEWARD_DATABASE__URL": database, "STEWARD_SECRET_KEY": KEY}
    read = load({} if port is None else {"http.port": port}, environment=environment)
    return Steward(read.settings, derived(read, environment=environment), telemetry=FanOut())


def person(number: int) -> str:
    """The id of person `number`."""
    return f"usr_{number:05d}"


def caller(user_id: str) -> Caller:
    """The person, who may do everything that is theirs."""
    return Caller(user_id, os.urandom(16).hex(), scopes=SCOPES)


async def fill(made: Steward, persons: int, tasks: int) -> None:
    """Make all tables, and so many persons with so many tasks each, all urgent already."""
    await migrate(made)
    now = datetime.now(UTC)
    said = TASK | {
        "deadline_at": (now + DUE_AFTER).isoformat(), "urgency_threshold_at": (now - URGENT_AGO).isoformat(),
    }  # fmt: skip
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            user_id = person(number)
            await made.person.create(f"Person {number}", user_id=user_id, locale="en")
            for _ in range(tasks):
                await made.tasks.create(caller(user_id), said)

    await asyncio.gather(*(one(number) for number in range(persons)))


async def suggest(made: Steward, persons: int) -> list[PreviewRow]:
    """Have Steward's own roles make a preview for every person's task; the previews, ready."""
    services = await services_of(made, ("consumer", "scan", "prepare"))
    for service in services:
        await service.start()
    try:
        while len(found := await made.storage.read(_ready)) < persons:  # noqa: ASYNC110 - the database tells
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        for service in services:
            await service.stop(10)
    return found


async def _ready(tx: Reading) -> list[PreviewRow]:
    return await tx.all(PreviewRow, {"status": "ready"}, order=("preview_id",))


def confirm(preview: PreviewRow) -> dict[str, Any]:
    """What the person sends who takes the suggestion as it is; `If-Match` stands apart."""
    return {"if_match": preview.base_version, "body": {"candidate_id": preview.selected_candidate_id}}
