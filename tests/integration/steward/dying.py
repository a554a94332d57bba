"""A process that confirms a preview and dies by SIGKILL at its n-th statement, commit included."""

import asyncio
import os
import signal
from typing import Any

from sqlalchemy import Engine, Select, event, make_url

from steward.service.confirming import ApplySettings, Confirming
from steward.service.person import Defaults
from steward.storage.asking import PsycopgAsking, Rows, Values
from steward.storage.limits import USUAL
from tests.integration.steward.parts import NOON, SetChance, storage_on
from tests.integration.steward.stories import CALLER


def confirm_and_die(url: str, preview_id: str, candidate_id: str, base_version: str, statement: int) -> None:
    """Confirm under the key `key-1`; ends well where there are fewer statements."""
    left = statement

    def step(*_: Any) -> None:  # noqa: ANN401  what SQLAlchemy tells
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    asked = PsycopgAsking.rows

    async def rows(self: PsycopgAsking, query: Select[Any], values: Values) -> Rows:
        step()  # of a query that is asked of the driver itself SQLAlchemy tells nothing
        return await asked(self, query, values)

    PsycopgAsking.rows = rows  # type: ignore[method-assign]  # in this process, which dies
    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    asyncio.run(_confirm(url, preview_id, candidate_id, base_version, statement))


async def _confirm(url: str, preview_id: str, candidate_id: str, base_version: str, made: int) -> None:
    chance = SetChance()
    chance.made = (made + 1) << 32
    storage = storage_on(make_url(url), lambda: NOON, USUAL)
    confirming = Confirming(storage=storage, chance=chance, defaults=Defaults(), settings=ApplySettings())
    values = {"candidate_id": candidate_id}
    await confirming.confirm(CALLER, preview_id, values, if_match=base_version, key="key-1")
    await storage.close()
