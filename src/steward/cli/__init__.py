"""The command line: parse, call `bootstrap`, print. Data on stdout, words on stderr, exit codes as in §15.

Invariant: `steward --help` loads nothing but this frame; a command's module is imported when it is called.
"""

import sys
from importlib import import_module

from steward.cli.early import hear_early

__all__ = ["main"]


def main() -> None:
    """Run the command line; the program's entry point."""
    hear_early(sys.argv[1:])
    import_module("steward.cli.main").app()
