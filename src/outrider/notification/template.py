"""Templates: files in a package, one a locale, never rows.

Shape of a file: a table a kind with any of `title`, `text`, `neutral`, `action`, `digest_line`, and `[default]`, which
besides has `digest_title` and `digest_more` and must have all but `text`. A placeholder is `{name}`; there are no
expressions. Invariant: loaded templates hold the same kinds, keys and placeholders in every locale. Source:
spec/notification.md NT-35.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from outrider.core.errors import ConfigurationError

SHIPPED: Final = "outrider.notification"
FOLDER: Final = "templates"
DEFAULT: Final = "default"
LAST_LOCALE: Final = "en"
TEMPLATE_MAX: Final = 2_000
KEYS: Final = frozenset({"title", "text", "neutral", "action", "digest_line"})
DEFAULT_KEYS: Final = KEYS | {"digest_title", "digest_more"}
REQUIRED: Final = DEFAULT_KEYS - {"text"}
ALWAYS: Final[Mapping[str, frozenset[str]]] = {
    "digest_line": frozenset({"summary"}),
    "digest_title": frozenset({"count"}),
    "digest_more": frozenset({"count"}),
}
"""The placeholders that are always given, by key; `[default]` may use no other."""

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]{0,63})\}")
_KIND: Final = re.compile(r"[\x21-\x7e]{1,64}")

Texts = Mapping[str, Mapping[str, str]]
"""Kind → key → template, of one locale."""


@dataclass(frozen=True, slots=True)
class Templates:
    """Every template, by locale, kind and key."""

    by_locale: Mapping[str, Texts]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that have templates of their own."""
        return frozenset(self.by_locale[LAST_LOCALE]) - {DEFAULT}

    def locale(self, *wishes: str | None) -> str:
        """The first of `wishes` that there are templates in, by itself or by its language; else en."""
        for wish in filter(None, wishes):
            for fits in (_same, _same_language):
                found = next((locale for locale in sorted(self.by_locale) if fits(locale, wish)), None)
                if found is not None:
                    return found
        return LAST_LOCALE

    def find(self, locale: str, kind: str, key: str) -> Iterator[str]:
        """The templates that may serve, in order: the kind's own, then `[default]`'s."""
        texts = self.by_locale[locale]
        for table in (texts.get(kind, {}), texts[DEFAULT]):
            if key in table:
                yield table[key]

    def fill(self, locale: str, kind: str, key: str, values: Mapping[str, str]) -> str | None:
        """The first of `find` whose placeholders are all given, filled; None where there is none."""
        for template in self.find(locale, kind, key):
            if placeholders(template) <= values.keys():
                return fill(template, values)
        return None


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with each placeholder replaced once: a value that looks like a placeholder stays as it is."""
    return _PLACEHOLDER.sub(lambda match: values[match.group(1)], template)


def placeholders(template: str) -> frozenset[str]:
    """The names of the placeholders."""
    return frozenset(_PLACEHOLDER.findall(template))


def load_templates(packages: Sequence[str] = ()) -> Templates:
    """The shipped templates with those of `packages` over them, the later ones first.

    A package is `name` or `name:folder`; without a folder it is `templates`. It holds `LOCALE.toml` for the same locales; a
    kind in it replaces the shipped one whole. Raises ConfigurationError that names every fault.
    """
    merged: dict[str, dict[str, Mapping[str, str]]] = {}
    faults: list[str] = []
    for package in (SHIPPED, *packages):
        found = _read(package, faults)
        faults += _differences(package, found)
        for locale, texts in found.items():
            merged.setdefault(locale, {}).update(texts)
    faults += faults_of(merged) if not faults else []
    if faults:
        raise ConfigurationError("the notification templates are wrong: " + "; ".join(faults))
    return Templates(merged)


def faults_of(by_locale: Mapping[str, Texts]) -> list[str]:
    """What is wrong with these files, one line a fault; empty where they may serve."""
    faults = [fault for locale, texts in sorted(by_locale.items()) for fault in _faults(locale, texts)]
    if LAST_LOCALE not in by_locale:
        return [*faults, f"there is no {LAST_LOCALE}.toml, which every other locale falls back to"]
    return faults + _differences("all packages", by_locale)


def _faults(locale: str, texts: Texts) -> Iterator[str]:
    missing = REQUIRED - texts.get(DEFAULT, {}).keys()
    if missing:
        yield f"{locale}: [default] lacks {', '.join(sorted(missing))}"
    for kind, table in sorted(texts.items()):
        known = DEFAULT_KEYS if kind == DEFAULT else KEYS
        if _KIND.fullmatch(kind) is None:
            yield f"{locale}: {kind!a} is no kind: 1…64 printable ASCII characters"
        for key, template in sorted(table.items()):
            where = f"{locale}: [{kind}] {key}"
            if key not in known:
                yield f"{where}: no such key, there are {', '.join(sorted(known))}"
            elif not template.strip() or len(template) > TEMPLATE_MAX:
                yield f"{where}: must have 1…{TEMPLATE_MAX} characters"
            elif re.search(r"[{}]", _PLACEHOLDER.sub("", template)) is not None:
                yield f"{where}: a brace that is no placeholder; write {{name}}, lower case, without expressions"
            elif key == "neutral" and placeholders(template):
                yield f"{where}: is fixed words, for a provider that refuses what people and models wrote"
            elif kind == DEFAULT and (unknown := placeholders(template) - ALWAYS.get(key, frozenset())):
                yield f"{where}: {', '.join(sorted(unknown))} is not given to every kind"


def _differences(where: str, by_locale: Mapping[str, Texts]) -> list[str]:
    """How the locales differ in kinds, keys and placeholders."""
    shapes = {
        locale: {(kind, key): placeholders(text) for kind, table in texts.items() for key, text in table.items()}
        for locale, texts in by_locale.items()
    }
    whole = {place for shape in shapes.values() for place in shape}
    faults = []
    for kind, key in sorted(whole):
        without = sorted(locale for locale, shape in shapes.items() if (kind, key) not in shape)
        if without:
            faults.append(f"{where}: [{kind}] {key} is missing in {', '.join(without)}")
        elif len({shape[kind, key] for shape in shapes.values()}) > 1:
            faults.append(f"{where}: [{kind}] {key} has not the same placeholders in every locale")
    return faults


def _read(package: str, faults: list[str]) -> dict[str, Texts]:
    name, _, place = package.partition(":")
    try:
        folder = files(name).joinpath(place or FOLDER)
        names = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
    except (ModuleNotFoundError, FileNotFoundError, NotADirectoryError):
        faults.append(f"package {name!r} has no folder {place or FOLDER!r}")
        return {}
    found: dict[str, Texts] = {}
    for entry in sorted(names, key=lambda entry: entry.name):
        try:
            found[entry.name.removesuffix(".toml")] = _tables(tomllib.loads(entry.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
            faults.append(f"{package}: {entry.name}: {error}")
    return found


def _tables(read: Mapping[str, Any]) -> Texts:
    for kind, table in read.items():
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise TypeError(f"[{kind}] must be a table of texts")
    return read


def _same(locale: str, wish: str) -> bool:
    return locale.lower() == wish.lower().replace("_", "-")


def _same_language(locale: str, wish: str) -> bool:
    return locale.lower().partition("-")[0] == wish.lower().replace("_", "-").partition("-")[0]
