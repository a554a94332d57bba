"""The words of the pages in every locale.

Invariant: every locale has every message, with the same names in braces; a message that is missing is an error, never a key
shown to a person. Source: spec/scheduling.md ST-60.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, get_args

from steward.domain.profile import Locale

LOCALES: Final[tuple[Locale, ...]] = get_args(Locale)


@cache
def messages(locale: Locale) -> Mapping[str, str]:
    """All messages of a locale by `section.name`."""
    text = (files("steward.web") / "messages" / f"{locale}.toml").read_text(encoding="utf-8")
    return dict(_flat(tomllib.loads(text)))


def message(locale: Locale, name: str, /, **values: object) -> str:
    """The message of this name with its values. Raises KeyError where the catalog or the caller lacks one."""
    return messages(locale)[name].format(**values)


def has_message(name: str) -> bool:
    """Whether there is such a message, for words that come from outside: a code, a method."""
    return name in messages(LOCALES[0])


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, str(value))]
    return found
