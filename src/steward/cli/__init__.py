"""The command line: parse, call `bootstrap`, print. Data on stdout, words on stderr, exit codes as in §15.

Invariant: `steward --help` loads nothing but this frame; a command's module is imported when it is called.
"""

import sys
from importlib import import_module
from typing import Final

from outrider.cli.program.early import hear_early

__all__ = ["main"]

SERVICES: Final = (("serve",), ("worker",))


def main() -> None:
    """Run the command line; the program's entry point."""
    hear_early(sys.argv[1:], SERVICES)
    import_module("steward.cli.main").app()
