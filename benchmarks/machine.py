"""What the figures were taken on: cores, memory and versions, no names and no paths."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("outrider", "psycopg", "asyncpg", "sqlalchemy", "confluent-kafka")


def machine() -> dict[str, Any]:
    """The machine and the versions of what was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_1m": round(os.getloadavg()[0], 2),
        **versions(*PACKAGES),
    }


def versions(*packages: str) -> dict[str, str]:
    """The installed versions of these packages; those that are missing are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
