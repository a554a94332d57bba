"""Steps on `outrider_process`: who is alive, so that live processes share the lanes.

Invariant: a row says only that a process was seen; leases alone decide who may write. Source: spec/outbox.md OB-35.
"""

from dataclasses import dataclass
from datetime import timedelta

from outrider.core.steps import Statement, Steps


@dataclass(frozen=True, slots=True)
class Process:
    """A process that serves: `owner` is unique for ever, `role` what it does (`relay:relay`)."""

    owner: str
    role: str
    host: str
    pid: int
    version: str


def beat(process: Process, alive_for: timedelta) -> Steps[int]:
    """Say that `process` lives; give how many of its role were seen within `alive_for`, itself included.

    Statements: `beat_process`, params `owner`, `role`, `host`, `pid`, `version`; `count_processes`, params `role`,
    `alive_for` → one row `(count,)`.
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
    rows = yield Statement("count_processes", {"role": process.role, "alive_for": alive_for})
    return int(rows[0][0])


def leave(owner: str) -> Steps[None]:
    """Remove the process's row at a clean stop. Statement `remove_process`, params `owner`."""
    yield Statement("remove_process", {"owner": owner})
