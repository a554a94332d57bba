"""The command line: parse, call `bootstrap`, print. Data on stdout, words on stderr, exit codes as in OB-81.

Invariant: `outrider --help` loads nothing but this frame; a command's module is imported when it is called.
"""

import sys
from importlib import import_module
from typing import Final

from outrider.cli.program.early import hear_early

__all__ = ["main"]

SERVICES: Final = (("relay",), ("consume",), ("notify", "run"), ("notify", "serve"))


def main() -> None:
    """Run the command line; the program's entry point."""
    hear_early(sys.argv[1:], SERVICES)
    import_module("outrider.cli.main").app()
