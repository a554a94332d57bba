"""A Steward of one folder, for the demo: on SQLite, its log as its broker, everything in this process.

Invariant: nothing of the caller's environment or settings files has a say. Source: spec/scheduling.md ST-69.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TextIO

from outrider.bootstrap.running import Service, log_lines
from steward.bootstrap.derive import derived
from steward.bootstrap.http_server import HttpServer
from steward.bootstrap.roles import ROLES, services_of
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward

OUTRIDER: Final = """\
[log]
level = "warning"

[notification.channels.console]
enabled = true

[notification.route]
always = ["inbox", "console"]
"""


def steward_in(folder: Path, values: Mapping[str, object], log: TextIO) -> Steward:
    """Steward whose file, settings and key lie in `folder`; warnings go to `log`."""
    own, outrider_own = folder / "steward.toml", folder / "outrider.toml"
    own.touch()
    outrider_own.write_text(OUTRIDER, encoding="utf-8")
    read = load({"database.url": f"sqlite:///{folder.resolve()}/steward.db", **values}, config=own, environment={})
    outrider = derived(read, config=outrider_own, environment={})
    return Steward(read.settings, outrider, telemetry=log_lines(log, outrider.steward.log, color=False))


async def everything(steward: Steward, opened: Callable[[int], None]) -> list[Service]:
    """All roles and the HTTP interface; `opened` is told the port."""
    roles = await services_of(steward, ROLES)
    return [*roles, HttpServer(steward, opened)]
