"""The tables of the pages of commands, from the programs' own help."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer

from outrider.cli import frame
from outrider.cli.main import Commands
from steward.cli import frame as steward_frame
from steward.cli.main import Commands as StewardCommands
from tools.reference_words import table


@dataclass(frozen=True)
class Program:
    """A program: its modules by verb, and the options that several verbs share, with where they are."""

    name: str
    modules: Mapping[str, tuple[str, str]]
    shared: Mapping[str, str]


OUTRIDER = Program(
    "outrider",
    Commands.table,
    dict.fromkeys(frame.COMMON, "everywhere")
    | dict.fromkeys(frame.PAGES, "lists")
    | dict.fromkeys(frame.WRITES, "what changes something"),
)
STEWARD = Program("steward", StewardCommands.table, dict.fromkeys(steward_frame.COMMON, "everywhere"))


def commands(program: Program) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name (`dead replay`)."""
    for name, (module, _) in program.modules.items():
        yield from _leaves(name, typer.main.get_command(import_module(module).app))


def _leaves(name: str, found: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  typer's own classes are not public
    if subcommands := getattr(found, "commands", None):
        for inner, one in subcommands.items():
            yield from _leaves(f"{name} {inner}", one)
    else:
        yield name, found


def command_tables(program: Program) -> str:
    """Options that several share, then each command."""
    known = list(commands(program))
    shared = {p.name: p for _, one in known for p in one.params if p.name in program.shared}
    rows = [
        (option(shared[name]), where, shared[name].help or "")
        for name, where in program.shared.items()
        if name in shared
    ]
    parts = [table(("option", "where", "what it does"), rows)]
    for name, one in known:
        arguments = "".join(f" {value_of(p)}" for p in one.params if p.param_type_name == "argument")
        own = [p for p in one.params if p.name not in program.shared and p.param_type_name == "option"]
        examples = re.sub(r"^\s*Examples:\n", "", (one.epilog or "").replace("\b\n", ""))
        shown = "\n".join(text[2:] for text in examples.splitlines())
        parts.append(
            f"### `{program.name} {name}`\n\n`{program.name} {name}{arguments}`: {prose(one.help)}\n\n"
            + (table(("option", "what it does"), [(option(p), p.help or "") for p in own]) + "\n" if own else "")
            + f"```text\n{shown}\n```\n"
        )
    return "\n".join(parts)


def prose(docstring: str | None) -> str:
    """A docstring as one line, without its source."""
    text = " ".join((docstring or "").split())
    return re.sub(r" ?\((?:(?:OB|NT|ST)-\d+[, ]*)+\)| Source: .*$", "", text)


def option(parameter: Any) -> str:  # noqa: ANN401  typer's own class is not public
    """An option as it is typed."""
    value = "" if parameter.is_flag else f" {value_of(parameter)}"
    return ", ".join(f"`{one}{value}`" for one in parameter.opts)


def value_of(parameter: Any) -> str:  # noqa: ANN401  as above
    """What stands for a value."""
    return str(parameter.metavar or parameter.name.upper().rstrip("_"))
