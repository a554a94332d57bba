"""The frame of every command: the options that all have, settings, Steward, errors as exit codes.

Exit codes: 0 done · 1 failed, or a finding · 2 usage or settings · 3 partly done · 75 try later (spec/scheduling.md §15).
"""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from outrider.cli.program.commands import DONE, FAILED, LATER, PARTLY, USAGE, finished, new_app, registered
from outrider.cli.program.examples import Examples
from steward.bootstrap.derive import Derived, derived
from steward.bootstrap.faults import StartRefused
from steward.bootstrap.running import ConfigurationError, OutriderError, StorageUnavailable, Telemetry, log_lines
from steward.bootstrap.settings import Read, load, wants_color
from steward.cli.output import Output
from steward.domain.errors import StewardError, ValidationFailed
from steward.ports.storage import StorageProblem

if TYPE_CHECKING:  # loads the database's libraries, which no help needs
    from steward.bootstrap.steward import Steward
    from steward.service.answer import Caller

__all__ = ["DONE", "FAILED", "PARTLY", "Call", "command", "new_app"]

Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings file (steward.toml here).")]
User = Annotated[str | None, typer.Option("--user", metavar="ID", help="For whom (default: the only person).")]
Json = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print data and errors alone.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="No colours (as NO_COLOR).")]

COMMON: Final = {
    "config": (Config, None),
    "user": (User, None),
    "json": (Json, False),
    "quiet": (Quiet, False),
    "no_color": (NoColor, False),
}


class Call:
    """One call of a command: its options, its settings, where it prints."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        self.color = not options["no_color"] and wants_color()
        self.out = Output(as_json=options["json"], quiet=options["quiet"], color=self.color)

    def read(self, **flags: object) -> Read:
        """The settings, with these flags (None: not given) over everything else. Raises SettingsWrong."""
        given = {name.replace("__", "."): value for name, value in flags.items() if value is not None}
        return load(given, config=self.options["config"])

    def telemetry(self, outrider: Derived, *, calm: bool = True) -> Telemetry:
        """Log lines on stderr; of a command that tells its outcome itself (`calm`) the warnings alone."""
        log = outrider.steward.log
        level = "error" if self.options["quiet"] else "warning" if calm and log.level == "info" else log.level
        return log_lines(sys.stderr, log.model_copy(update={"level": level}), color=self.color)

    @asynccontextmanager
    async def steward(self, *, check: bool = True, **flags: object) -> "AsyncIterator[Steward]":
        """Steward whole; by `check`, only over tables of this release. Raises StartRefused, ConfigurationError."""
        read = self.read(**flags)
        outrider = derived(read)
        made: Steward = import_module("steward.bootstrap.steward").Steward(
            read.settings, outrider, telemetry=self.telemetry(outrider)
        )
        try:
            if check:
                await import_module("steward.bootstrap.schema").check_schema(made)
            yield made
        finally:
            await made.close()

    async def caller(self, steward: "Steward") -> "Caller":
        """The person of `--user`, or the only one there is, as who asks. Raises BadParameter."""
        people = await steward.person.list()
        wanted = self.options["user"]
        found = [one for one in people if wanted in {None, one["user_id"]}]
        if len(found) != 1:
            known = ", ".join(one["user_id"] for one in people[:10]) or "nobody: make one with  steward user add NAME"
            raise typer.BadParameter(f"say for whom; there is {known}", param_hint="--user")
        (one,) = found
        answer = import_module("steward.service.answer")
        made: Caller = answer.Caller(
            one["user_id"],
            steward.chance.secret(16).hex(),
            role=one["role"],
            scopes=answer.SCOPES,
            locale=one["locale"],
        )
        return made


def command(
    app: typer.Typer, name: str | None = None, *, examples: Examples
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that makes `function(call, …)` a command with the common options and examples in its help.

    The function may be a coroutine function; it returns an exit code, None for done.
    """
    return registered(app, name, options=COMMON, examples=examples, run=_run)


def _run(options: Mapping[str, Any], function: Callable[..., Any], given: Mapping[str, Any]) -> int:
    call = Call(options)
    return guarded(call.out, functools.partial(function, call, **given))


def guarded(out: Output, function: Callable[[], Any]) -> int:
    """Run a command and give its exit code; what it raises is told on stderr, what nobody expected with its trace."""
    try:
        return finished(function)
    except (StartRefused, OutriderError, StewardError, StorageProblem) as error:
        out.fail(_said(error))
        return exit_code(error)


def exit_code(error: Exception) -> int:
    """The exit code that tells a script what to do about `error`."""
    match error:
        case StorageUnavailable() | StorageProblem():
            return LATER
        case StartRefused() | ConfigurationError() | ValidationFailed():
            return USAGE
    return FAILED


def _said(error: Exception) -> str:
    code = getattr(error, "code", None) if isinstance(error, StewardError) else None
    text = str(error) or type(error).__name__
    return text if code is None or text.startswith(code) else f"{code}: {text}"
