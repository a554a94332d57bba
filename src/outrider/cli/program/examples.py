"""Examples at the end of every help."""

from collections.abc import Sequence

Examples = Sequence[tuple[str, str]]
"""A command line, and what it does in a few words."""


def epilog(examples: Examples) -> str:
    """Lay them out so that the help keeps its lines; each explanation stands above its command, as 80 columns want it."""
    lines = [f"  {command}\n      {words}" for command, words in examples]
    return "\b\nExamples:\n" + "\n".join(lines)
