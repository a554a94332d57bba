"""Whatever the OpenAPI document of `notify serve` allows, and what it does not, gets an answer that it declares (NT-55)."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from outrider.integrations.fastapi.router import PREFIX
from outrider.integrations.fastapi.server import app_of
from outrider.notification.tokens import TokenAuthenticator
from outrider.ports.http import Principal
from tests.integration.explored import explore, on_a_socket
from tests.unit.integrations.town import Town

STREAM = f"{PREFIX}/inbox/stream"
"""It does not end; tests/acceptance/cli/test_notify_serve.py reads it."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("roles", "options"),
    [
        ("recipient+service+operator+texts", ("--phases", "coverage,fuzzing,stateful", "--max-examples", "5")),
        ("recipient", ("--phases", "fuzzing", "--max-examples", "3")),
        ("service", ("--phases", "fuzzing", "--max-examples", "3")),
        ("operator", ("--phases", "fuzzing", "--max-examples", "3")),
    ],
)
async def test_every_operation_answers_as_declared(roles: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """NT-55, ST-55: for somebody who may do everything, and for each role by itself."""
    limits: Any = {"notification.http.rate": 1e6, "notification.http.burst": 1_000_000}
    town = Town(f"sqlite:///{tmp_path}/town.db", **limits)
    await town.ask("k", route={"always": ["inbox"], "first_of": ["mock"]})
    principal = Principal("anna", frozenset(roles.split("+")))  # type: ignore[arg-type]
    known = TokenAuthenticator({sha256(b"ntf_x").hexdigest(): principal})
    async with on_a_socket(app_of(town.notifier, known, None)) as address:
        found = await explore(address, "ntf_x", tmp_path, "--exclude-path", STREAM, *options)
    await town.close()
    assert not found, found
