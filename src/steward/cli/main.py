"""The program `steward`: its commands, by name."""

import typer

from steward.cli.examples import epilog
from steward.cli.lazy import LazyGroup

HELP = """An active scheduler: when a task becomes urgent it suggests how the day could change; you confirm, and it changes.

Settings come from flags, STEWARD_… variables and steward.toml, in this order.
"""
EXAMPLES = (
    ("steward migrate", "make the tables, or bring them to this release"),
    ("steward user add Anna", "a person, and a token to call with"),
    ("steward serve", "API, pages and all roles in one process"),
)


class Commands(LazyGroup):
    """The first level."""

    table = {  # noqa: RUF012 - read only, and typer wants the class itself
        "demo": ("steward.cli.demo.command", "Watch a task become urgent, and a suggestion wait for your tap."),
        "serve": ("steward.cli.serve", "Answer by HTTP: API and pages; on SQLite with all roles."),
        "worker": ("steward.cli.worker", "Run all roles but HTTP, or those named."),
        "migrate": ("steward.cli.migrate", "Bring the tables to this release."),
        "doctor": ("steward.cli.doctor", "Check everything, and say what to do."),
        "config": ("steward.cli.config", "Show the settings, and where each comes from."),
        "user": ("steward.cli.user", "Persons, their tokens and sign-in links."),
        "task": ("steward.cli.tasks", "What is to be done."),
        "import": ("steward.cli.import_", "A calendar from a file or a feed."),
        "scan": ("steward.cli.scan", "Look at the jobs that are due, now."),
        "preview": ("steward.cli.preview", "What is suggested."),
        "confirm": ("steward.cli.confirm", "Change the calendar as suggested."),
        "trace": ("steward.cli.trace", "What became of a suggestion, line by line."),
    }


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only for this flag

        typer.echo(f"steward {version('outrider')}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands, rich_markup_mode=None, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=True
)


@app.callback(help=HELP, epilog=epilog(EXAMPLES))
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """The group itself has nothing to do."""


def main() -> None:
    """Run the command line; the program's entry point."""
    app()
