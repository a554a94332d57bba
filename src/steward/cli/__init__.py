"""The command line: parse, call `bootstrap`, print. Data on stdout, words on stderr, exit codes as in §15.

Invariant: `steward --help` loads nothing but this frame; a command's module is imported when it is called.
"""

from steward.cli.main import main

__all__ = ["main"]
