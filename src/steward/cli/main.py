"""The program `steward`: its commands, by name."""

from outrider.cli.program.lazy import LazyGroup
from outrider.cli.program.root import new_program

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


app = new_program("steward", Commands, help_=HELP, examples=EXAMPLES)
