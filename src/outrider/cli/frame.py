"""The frame of every command: the options that all have, settings, errors as exit codes.

Exit codes (OB-81): 0 done · 1 failed, or a finding · 2 usage or settings · 3 partly done · 75 try later.
"""

import functools
import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from outrider.bootstrap.settings import load, wants_color
from outrider.bootstrap.settings_model import Settings
from outrider.cli.output import Output
from outrider.cli.program.commands import DONE, FAILED, LATER, PARTLY, USAGE, finished, new_app, registered
from outrider.cli.program.examples import Examples
from outrider.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    LeaseLost,
    MessageNotFound,
    NotificationNotFound,
    OperationRefused,
    OutriderError,
    StateConflict,
    StorageUnavailable,
    UsageError,
    VersionMismatch,
)
from outrider.telemetry.logs import LogSink

__all__ = ["DONE", "FAILED", "LATER", "PARTLY", "USAGE", "Call", "command", "exit_code", "log_sink", "new_app"]

LIMIT_MAX: Final = 200

Service = Annotated[str | None, typer.Option("--service", metavar="NAME", help="The service (setting service.name).")]
Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings file (outrider.toml here).")]
Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print data and errors alone.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours (as NO_COLOR).")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=LIMIT_MAX, help="Rows of a page.")]
Page = Annotated[
    str | None, typer.Option("--cursor", metavar="TEXT", help="Go on where the last page's next_cursor says.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why: kept in the audit table.")]

COMMON: Final = {
    "service": (Service, None),
    "config": (Config, None),
    "json": (Json, False),
    "quiet": (Quiet, False),
    "no_color": (NoColor, False),
}
PAGES: Final = {"limit": (Limit, 50), "cursor": (Page, None)}
CHANGES: Final = {"dry_run": (DryRun, False), "yes": (Yes, False)}
WRITES: Final = CHANGES | {"reason": (Reason, None)}


class Call:
    """One call of a command: its options, its settings, where it prints."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        self.out = Output(
            as_json=options["json"],
            quiet=options["quiet"],
            color=not options["no_color"] and wants_color(),
        )

    def settings(self, **flags: object) -> Settings:
        """The settings, with these flags (None: not given) over everything else. Raises ConfigurationError."""
        given = {"service.name": self.options["service"], **{k.replace("__", "."): v for k, v in flags.items()}}
        return load({key: value for key, value in given.items() if value is not None}, config=self.options["config"])

    @property
    def limit(self) -> int:
        """Rows of a page."""
        return int(self.options["limit"])

    @property
    def page(self) -> str | None:
        """Where the page begins."""
        found: str | None = self.options["cursor"]
        return found

    @property
    def dry_run(self) -> bool:
        """Whether nothing may be changed."""
        return bool(self.options["dry_run"])

    @property
    def actor(self) -> str:
        """Who calls: the name in the audit table."""
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a container's user without a name
            return f"uid {os.getuid()}"

    def reason(self) -> str:
        """Why something is changed. Raises BadParameter (exit 2) where nothing was said and something is to be changed."""
        said = (self.options["reason"] or "").strip()
        if not said and not self.dry_run:
            raise typer.BadParameter("say why: every change is audited", param_hint="--reason")
        return said

    @property
    def asks(self) -> bool:
        """Whether what is dangerous needs a yes that nobody has given yet."""
        return not (self.options.get("yes") or self.options.get("dry_run"))

    def confirm(self, question: str) -> None:
        """Ask before what is dangerous, on a terminal; elsewhere `--yes` must stand there. Raises BadParameter, Abort."""
        if not self.asks:
            return
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"{question} Say --yes where nobody can be asked.", param_hint="--yes")
        typer.confirm(question, abort=True, err=True)


def log_sink(call: Call, settings: Settings, *, calm: bool = False) -> LogSink:
    """Our log lines, on stderr; `--quiet` leaves the errors, `calm` (a pass that tells its outcome itself) the warnings."""
    level = settings.log.level
    if call.out.quiet:
        level = "error"
    elif calm and level == "info":
        level = "warning"
    color = wants_color() and not call.options["no_color"]
    return LogSink(sys.stderr, level=level, format=settings.log.format, color=color)


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    examples: Examples,
    pages: bool = False,
    writes: bool = False,
    changes: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that makes `function(call, …)` a command with the common options and examples in its help.

    `writes`: it changes something and wants to know why; `changes`: it does, and nobody is asked for a reason.
    The function may be a coroutine function; it returns an exit code, None for done.
    """
    common = COMMON | (PAGES if pages else {}) | (WRITES if writes else CHANGES if changes else {})

    return registered(app, name, options=common, examples=examples, run=_run)


def _run(options: Mapping[str, Any], function: Callable[..., Any], given: Mapping[str, Any]) -> int:
    call = Call(options)
    return guarded(call.out, functools.partial(function, call, **given))


def guarded(out: Output, function: Callable[[], Any]) -> int:
    """Run a command and give its exit code; what it raises is told on stderr, what nobody expected with its trace."""
    if os.getcwd() not in sys.path:  # noqa: PTH109  a string, as sys.path holds them
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  so that module:name finds the application's modules, as python -m does
    try:
        return finished(function)
    except OutriderError as error:
        out.fail(str(error))
        return exit_code(error)


def exit_code(error: OutriderError) -> int:
    """The exit code that tells a script what to do about `error`."""
    match error:
        case StorageUnavailable() | BrokerUnavailable() | LeaseLost():
            return LATER
        case MessageNotFound() | NotificationNotFound() | OperationRefused() | StateConflict() | VersionMismatch():
            return FAILED
        case ConfigurationError() | UsageError():
            return USAGE
    return FAILED
