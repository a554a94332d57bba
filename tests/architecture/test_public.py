"""The public surface: every name there, and none of it drags in a driver, an ORM or a web framework."""

import json
import subprocess
import sys

import pytest

import outrider

HEAVY = {
    "aio_pika", "alembic", "asyncmy", "asyncpg", "confluent_kafka", "django", "fastapi", "httpx2", "nats", "psycopg",
    "psycopg_pool", "redis", "sqlalchemy", "starlette",
}  # fmt: skip


def loaded_after(program: str) -> set[str]:
    """The top-level modules loaded in a fresh interpreter that ran `program`."""
    show = "\nimport json, sys\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", program + show], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_outrider_loads_no_driver() -> None:
    assert not loaded_after("import outrider") & HEAVY


def test_listing_outrider_loads_no_driver() -> None:
    assert not loaded_after("import outrider; dir(outrider); outrider.__doc__") & HEAVY


@pytest.mark.timeout(60)
def test_every_public_name_is_there() -> None:
    names = list(getattr(outrider, "__all__", ()))
    assert len(names) == len(set(names))
    assert not [name for name in names if not hasattr(outrider, name)]
    assert set(names) <= set(dir(outrider))
