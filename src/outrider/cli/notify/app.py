"""The group that the verbs of `outrider notify` register with."""

from typing import Final

from outrider.cli.frame import new_app

HELP: Final = "Tell people what was asked for; look at what became of it, and mend it."
app = new_app(HELP)
