"""The verbs of `outrider notify`, put together."""

from outrider.cli.notify import asking, records, run, serving, tending
from outrider.cli.notify.app import app
from outrider.cli.notify.channels import app as channels
from outrider.cli.notify.destinations import app as destinations

__all__ = ["app", "asking", "records", "run", "serving", "tending"]

app.add_typer(channels, name="channels")
app.add_typer(destinations, name="destinations")
app.add_typer(tending.digests, name="digest")
app.add_typer(tending.templates, name="templates")
