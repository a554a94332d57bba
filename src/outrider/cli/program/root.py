"""A program's first level, which loads nothing of its commands."""

import typer

from outrider.cli.program.examples import Examples, epilog
from outrider.cli.program.lazy import LazyGroup


def new_program(name: str, commands: type[LazyGroup], *, help_: str, examples: Examples) -> typer.Typer:
    """The program: its first level of commands, completion, and a flag that prints the version."""

    def show_version(wanted: bool) -> None:
        if wanted:
            from importlib.metadata import version  # noqa: PLC0415 - only for this flag

            typer.echo(f"{name} {version('outrider')}")
            raise typer.Exit

    app = typer.Typer(
        cls=commands, rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True
    )

    @app.callback(help=help_, epilog=epilog(examples))
    def root(
        version: bool = typer.Option(
            False, "--version", callback=show_version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        """The group itself has nothing to do."""

    return app
