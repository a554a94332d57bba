"""What a command prints: data on stdout, words on stderr.

Invariant: every text of a table passes redaction and escaping; JSON keeps one shape for each command, instants as RFC 3339
in UTC, spans as seconds. Source: spec/outbox.md OB-80, OB-95.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from outrider.core.text import escape_controls, redact

PIPE_WIDTH: Final = 1_000
"""Columns where nobody looks: nothing is folded or cut in a pipe."""
ABSENT: Final = "-"


class Progress(Protocol):
    """Tells how far something is."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """`done` of `total` so far."""
        ...


def plain(value: object) -> Any:  # noqa: ANN401  JSON is of any kind
    """A value as JSON has it; texts are redacted."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case str():
            return redact(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def cell(value: object) -> str:
    """A value in a table: short, on one line, without effect on the terminal."""
    match value:
        case None | "":
            return ABSENT
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case timedelta():
            return span(value)
        case int():
            return f"{value:,}"
        case list() | tuple():
            return ", ".join(cell(item) for item in value) or ABSENT
    return escape_controls(redact(str(value)))


def span(value: timedelta) -> str:
    """A span for people, its two largest units: `3 d 4 h`, `12 s`, `0.4 s`."""
    seconds = value.total_seconds()
    if abs(seconds) < 10:  # noqa: PLR2004  below it tenths matter
        return f"{seconds:.1f} s"
    parts, rest = [], int(abs(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if rest >= size:
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return ("-" if seconds < 0 else "") + " ".join(parts[:2])


class Output:
    """Where a command prints. `as_json` chooses the form of data, `quiet` silences words."""

    def __init__(self, *, as_json: bool, quiet: bool, color: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.color = color

    def say(self, words: str) -> None:
        """Tell a person something that is no data."""
        if not self.quiet:
            print(words, file=sys.stderr, flush=True)

    def fail(self, words: str) -> None:
        """Tell what went wrong, even where quiet was asked for."""
        print(f"outrider: {escape_controls(redact(words)) if chr(10) not in words else redact(words)}", file=sys.stderr)

    def json(self, data: object) -> None:
        """Print data as JSON, one document."""
        print(json.dumps(plain(data), ensure_ascii=False, indent=2))

    def text(self, text: str) -> None:
        """Print data that is text by nature."""
        print(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
        """Print a table that folds within the terminal's width; numbers stand to the right."""
        from rich.console import Console  # noqa: PLC0415  only what prints a table pays for it
        from rich.table import Table  # noqa: PLC0415  as above

        console = Console(
            no_color=not self.color, highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPE_WIDTH
        )
        made = Table(
            title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0),
            header_style="bold",
        )  # fmt: skip
        for index, column in enumerate(columns):
            cells = [row[index] for row in rows]
            numbers = any(cell is not None for cell in cells) and all(map(_is_number, cells))
            made.add_column(column, justify="right" if numbers else "left", overflow="fold")
        for row in rows:
            made.add_row(*(cell(value) for value in row))
        console.print(made)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Print names and values, one a line; what says nothing is left out."""
        shown = {name: cell(value) for name, value in facts.items() if value not in (None, "", (), [])}
        width = max(map(len, shown), default=0)
        for name, value in shown.items():
            print(f"{name:<{width}}  {value}")

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        """A bar on a terminal, nothing elsewhere."""
        if self.quiet or self.as_json or not sys.stderr.isatty():
            yield lambda done, total=None: None  # noqa: ARG005  nobody looks
            return
        from rich import progress as bars  # noqa: PLC0415  only on a terminal
        from rich.console import Console  # noqa: PLC0415  as above

        console = Console(stderr=True, no_color=not self.color)
        columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.TextColumn("{task.completed:,.0f}"))
        with bars.Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(label, total=None)
            yield lambda done, total=None: bar.update(task, completed=done, total=total)


def _is_number(value: object) -> bool:
    """Whether a cell belongs to a column of numbers; an absent value may stand in one."""
    if isinstance(value, str):
        return value.lstrip("≥ ").replace(",", "").isdecimal()
    return value is None or (isinstance(value, int) and not isinstance(value, bool))
