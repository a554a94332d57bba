"""The program `outrider`: its commands, by name."""

from outrider.cli.program.lazy import LazyGroup
from outrider.cli.program.root import new_program

HELP = """A transactional outbox: what commits with your data is delivered, in order, once.

Settings come from flags, OUTRIDER_… variables and outrider.toml, in this order.
"""
EXAMPLES = (
    ("outrider init --service orders --database sqlite:///shop.db", "make the tables"),
    ("outrider relay", "publish until a signal"),
    ("outrider status --json", "lanes, backlog, what waits for a person"),
    ("outrider dead replay --code publish.refused --dry-run", "what a replay would send again"),
)


class Commands(LazyGroup):
    """The first level."""

    table = {  # noqa: RUF012  read only, and typer wants the class itself
        "demo": ("outrider.cli.demo.command", "Watch messages arrive exactly once while processes are killed."),
        "init": ("outrider.cli.init", "Make the tables, the relay's subscription and outrider.toml."),
        "migrate": ("outrider.cli.migrate", "Bring the tables to this release."),
        "doctor": ("outrider.cli.doctor", "Check everything that a start checks, and say what to do."),
        "status": ("outrider.cli.status", "Lanes, backlog, pauses, and what waits for a person."),
        "routes": ("outrider.cli.routes", "Which type travels where, and who expects it."),
        "relay": ("outrider.cli.relay", "Publish committed messages, until a signal or once."),
        "consume": ("outrider.cli.consume", "Run a consumer's handlers, until a signal."),
        "notify": ("outrider.cli.notify.command", "Tell people what was asked for; look at it, and mend it."),
        "messages": ("outrider.cli.messages", "Look at messages in any state."),
        "dead": ("outrider.cli.dead", "Look at dead messages; replay or discard them."),
        "pause": ("outrider.cli.pause", "Stop sending to a destination, of a key, or altogether."),
        "resume": ("outrider.cli.resume", "End a pause; what waited follows in order."),
        "cursor": ("outrider.cli.cursor", "Where the readers of the log stand; rewind one."),
        "prune": ("outrider.cli.prune", "Delete what nobody needs any more, now."),
        "audit": ("outrider.cli.audit", "Who changed what, when and why."),
        "bench": ("outrider.cli.bench", "Measure this database and broker."),
        "verify": ("outrider.cli.verify", "Prove the invariants on the tables."),
    }


app = new_program("outrider", Commands, help_=HELP, examples=EXAMPLES)
