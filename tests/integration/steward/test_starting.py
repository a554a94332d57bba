"""What a worker's process has loaded when it is at work: a role brings in its own libraries, and no other's. ST-70."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
import asyncio, json, sys
from outrider.bootstrap.running import FanOut
from steward.bootstrap.derive import derived
from steward.bootstrap.roles import services_of
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward

async def run(path, roles):
    read = load({"database.url": f"sqlite:///{path}", "secret_key": "k"}, environment={})
    steward = Steward(read.settings, derived(read, environment={}), telemetry=FanOut())
    services = await services_of(steward, roles.split(","))
    for service in services:
        await service.start()
    for service in services:
        await service.stop(5)
    await steward.close()

asyncio.run(run(*sys.argv[1:]))
print(json.dumps(sorted(sys.modules)))
"""
NOBODYS = {
    "alembic", "anyio", "confluent_kafka", "fastapi", "h11", "httpcore2", "icalendar", "jinja2", "psycopg",
    "pydantic_ai", "starlette", "uvicorn",
}  # fmt: skip
"""Of HTTP, of another database or broker, of the calendar's own process: no role of a worker over a file needs them."""
NOTIFICATION, CONSUMER, RELAY = "outrider.notification", "outrider.consumer.consumer", "outrider.relay.relay"
OTHERS = {
    "scan,prepare,reconcile,feeds": {NOTIFICATION, CONSUMER, RELAY},
    "consumer": {NOTIFICATION},
    "relay": {NOTIFICATION, CONSUMER},
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("roles", OTHERS)
def test_a_role_loads_its_own_libraries_and_no_others(database: Path, roles: str) -> None:
    """ST-70: a process that a supervisor starts again is at work soon, and holds little."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(database), roles], capture_output=True, text=True, check=True, timeout=150
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "steward.service.scanning" in loaded
    assert loaded & (NOBODYS | OTHERS[roles]) == set()
