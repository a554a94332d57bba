"""Commands with the options that all have, and how one is run."""

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import typer

from outrider.cli.program.examples import Examples, epilog

DONE, FAILED, USAGE, PARTLY, LATER = 0, 1, 2, 3, 75
INTERRUPTED: Final = 130

Options = Mapping[str, tuple[Any, object]]
"""By the name of its argument what typer reads of an option, and its default."""


def new_app(help_: str | None = None) -> typer.Typer:
    """A module's app: plain help, quick to show; completion belongs to the program alone."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=help_ is not None, help=help_)


def registered(
    app: typer.Typer,
    name: str | None,
    *,
    options: Options,
    examples: Examples,
    run: Callable[[Mapping[str, Any], Callable[..., Any], Mapping[str, Any]], int],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that makes `function(call, …)` a command with these options beside its own, and examples in its help.

    `run` gets what was given for the options, the function and what was given for its own arguments; it gives the exit code.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        added = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, (annotation, default) in options.items()
        ]
        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

        @functools.wraps(function)
        def called(**given: Any) -> None:  # noqa: ANN401 - what the command line gave
            common = {key: given.pop(key) for key in options}
            raise typer.Exit(run(common, function, given))

        called.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]  # typer reads it
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
        app.command(name, epilog=epilog(examples), no_args_is_help=False)(called)
        return function

    return register


def finished(function: Callable[[], Any]) -> int:
    """Run a command, a coroutine function too, and give its exit code; a reader that has gone, or Ctrl-C, is no error."""
    try:
        result = function()
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except BrokenPipeError:  # the reader of our data has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return int(result or DONE)
