"""A group of commands whose modules are imported when they are called."""

from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class LazyGroup(TyperGroup):
    """Commands from `table`: name → (module, one line of help). Listing them imports none.

    Each module has `app`, a Typer of one command or of a group.
    """

    table: ClassVar[dict[str, tuple[str, str]]] = {}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  typer's own context is not public
        """The names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002  as above
        """What a list of commands shows: name and help, nothing to run."""
        if cmd_name not in self.table:
            return None
        return TyperCommand(cmd_name, help=self.table[cmd_name][1], params=[], callback=lambda: None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  as above
        """What is to be run: the module is imported now."""
        if args and args[0] in self.table:
            module, _ = self.table[args[0]]
            command = typer.main.get_command(import_module(module).app)
            command.name = args[0]
            return args[0], command, args[1:]
        self.commands = {name: self.get_command(ctx, name) for name in self.table}  # for `did you mean`
        return super().resolve_command(ctx, args)
