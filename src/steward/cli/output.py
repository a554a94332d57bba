"""What a command prints: data on stdout, words on stderr.

Invariant: no text of a row reaches the terminal with control characters; JSON keeps one shape for each command.
Source: spec/scheduling.md §15.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

ABSENT: Final = "-"


def cell(value: object) -> str:
    """A value in a table: short, on one line, without effect on the terminal."""
    match value:
        case None | "":
            return ABSENT
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(cell, value)) or ABSENT
    return plain(str(value))


def plain(text: str) -> str:
    """The text with every character that is none to be printed as an escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class Output:
    """Where a command prints. `as_json` chooses the form of data, `quiet` silences words."""

    def __init__(self, *, as_json: bool, quiet: bool, color: bool) -> None:
        self.as_json, self.quiet, self.color = as_json, quiet, color

    def say(self, words: str) -> None:
        """Tell a person something that is no data."""
        if not self.quiet:
            print(words, file=sys.stderr, flush=True)

    def fail(self, words: str) -> None:
        """Tell what went wrong, even where quiet was asked for."""
        print("steward: " + "\n".join(map(plain, words.split("\n"))), file=sys.stderr, flush=True)

    def json(self, data: object) -> None:
        """Print data as JSON, one document."""
        print(json.dumps(data, ensure_ascii=False, indent=2), flush=True)

    def text(self, text: str) -> None:
        """Print data that is text by nature."""
        print(text, flush=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table, a line a row."""
        lines = [[*columns], *([cell(value) for value in row] for row in rows)]
        widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
        for line in lines:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Print names and values, one a line; what says nothing is left out."""
        shown = {name: cell(value) for name, value in facts.items() if value not in (None, "", (), [])}
        width = max(map(len, shown), default=0)
        for name, value in shown.items():
            print(f"{name:<{width}}  {value}")
