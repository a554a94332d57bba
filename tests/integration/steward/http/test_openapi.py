"""Whatever the OpenAPI document allows, and what it does not, gets an answer that the document declares (ST-55)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steward.bootstrap.steward import Steward
from steward.http.app import API, create_app
from tests.integration.explored import explore, on_a_socket
from tests.integration.steward.parts import steward_at

NOTIFICATION = f"^{API}/notification"
"""Outrider's own routes: tests/integration/notification/test_openapi.py asks them."""


@pytest.fixture
async def steward(database: Path) -> AsyncIterator[Steward]:
    """Steward whole, without a limit of calls, which would soon be all that is seen."""
    made = steward_at(database, http__rate=1e9, http__burst=1_000_000)
    yield made
    await made.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("role", "scopes", "options"),
    [
        ("user", "tasks calendar previews", ("--phases", "coverage,fuzzing,stateful", "--max-examples", "5")),
        ("admin", "tasks calendar previews admin", ("--phases", "fuzzing", "--max-examples", "3")),
        ("user", "tasks", ("--phases", "fuzzing", "--max-examples", "2")),
    ],
)
async def test_every_operation_answers_as_declared(
    steward: Steward, role: str, scopes: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """ST-54, ST-55, ST-57: whoever asks, with whichever scopes."""
    await steward.person.create("Bob", user_id="usr_bob", role=role, locale="en")
    token = (await steward.tokens.make("usr_bob", "test", scopes.split()))["token"]
    async with on_a_socket(create_app(steward)) as address:
        found = await explore(
            address, token, tmp_path, "--exclude-path-regex", NOTIFICATION, *options, document=f"{API}/openapi.json"
        )
    assert not found, found
