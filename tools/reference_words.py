"""The words of the reference pages that no code says, and the table that they stand in."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("reference.toml").read_text(encoding="utf-8"))


class WordsMissing(ValueError):
    """reference.toml and the code name different things."""


def words(section: str, names: Sequence[str]) -> dict[str, str]:
    """The words of a section, which must be about exactly these names. Raises WordsMissing."""
    found: dict[str, str] = WORDS[section]
    if set(found) != set(names):
        lacking, unknown = sorted(set(names) - set(found)), sorted(set(found) - set(names))
        raise WordsMissing(f"tools/reference.toml [{section}]: lacks {lacking}, knows too much {unknown}")
    return found


def idle(kind: str, name: str) -> str:
    """A word on what does nothing yet."""
    return " **Without effect in this release.**" if is_idle(kind, name) else ""


def is_idle(kind: str, name: str) -> bool:
    """Whether it does nothing yet, alone or with all whose names begin alike (listed with the dot)."""
    listed = WORDS["idle"][kind]
    return name in listed or any(name.startswith(one) for one in listed if one.endswith("."))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
