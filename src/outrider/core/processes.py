"""Steps on `outrider_process`: who is alive, so that live processes share the lanes.

Invariant: a row says only that a process was seen; leases alone decide who may write. Source: spec/outbox.md OB-35, OB-100.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from outrider.core.steps import Statement, Steps

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]")
_HOST_MAX: Final = 50
_OWNER: Final = re.compile(r"([A-Za-z0-9._-]+):([0-9a-f]{32}):[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
_UNKNOWN_BOOT: Final = "unknown"


def owner_id(host: str, boot_id: str, unique: UUID) -> str:
    """The id of a process that may hold leases, fit to be a file's name: host, boot, and what is unique for ever (OB-100).

    `boot_id` as the system writes it; empty where it has none.
    """
    named = _NOT_IN_A_NAME.sub("-", host)[:_HOST_MAX] or "host"
    return f"{named}:{boot_id.strip().replace('-', '') or _UNKNOWN_BOOT}:{unique}"


def is_owner_id(text: str) -> bool:
    """Whether it has the form of one that says its boot."""
    return _OWNER(text) is not None


def same_boot(owner: str, other: str) -> bool:
    """Whether two owner ids are of one host since one boot; False where that is not known."""
    one, two = _OWNER(owner), _OWNER(other)
    return one is not None and two is not None and one.groups() == two.groups()


@dataclass(frozen=True, slots=True)
class Process:
    """A process that serves: `owner` is unique for ever, `role` what it does (`relay:relay`)."""

    owner: str
    role: str
    host: str
    pid: int
    version: str


def beat(process: Process, alive_for: timedelta) -> Steps[list[str]]:
    """Say that `process` lives; give the owner ids of its role that were seen within `alive_for`, its own included.

    Statements: `beat_process`, params `owner`, `role`, `host`, `pid`, `version`; `read_processes`, params `role`,
    `alive_for` → a row `(owner,)` for each.
    """
    yield Statement(
        "beat_process",
        {
            "owner": process.owner,
            "role": process.role,
            "host": process.host,
            "pid": process.pid,
            "version": process.version,
        },
    )
    rows = yield Statement("read_processes", {"role": process.role, "alive_for": alive_for})
    return [owner for (owner,) in rows]


def leave(owner: str) -> Steps[None]:
    """Remove a process's row: it stops cleanly, or is proved dead. Statement `remove_process`, params `owner`."""
    yield Statement("remove_process", {"owner": owner})
