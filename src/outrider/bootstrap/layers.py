"""What flags, environment and a file say, each over what is weaker, before anybody has checked the values.

Invariant: nothing that is unknown, cannot be read, or is said twice is passed over: each is a fault, in a line that names it
and where it stands (OB-90). Steward's settings are read by the same rules.
"""

import difflib
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SHOWN_MAX: Final = 60
"""Characters of a wrong value that a fault shows."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What can be said: `prefix` of the variables, the `file` that is looked for, whether `has` a dotted key, the `keys`
    among which an unknown one may have been meant, those that are `secrets`, and the key of a variable's name without prefix.
    """

    prefix: str
    file: str
    has: Callable[[str], bool]
    keys: Callable[[str], Collection[str]]
    secrets: Collection[str]
    key_of: Callable[[str], str]

    def variable(self, key: str) -> str:
        """`relay.batch_size` as `OUTRIDER_RELAY__BATCH_SIZE`."""
        return self.prefix + key.upper().replace(".", "__")

    def nearest(self, key: str) -> str | None:
        """The known key that is most like this one, as a whole or by its last part."""
        keys = list(self.keys(key))
        last = {known.rpartition(".")[2]: known for known in reversed(keys)}
        found = difflib.get_close_matches(key, keys, 1, 0.6)
        found = found or [last[name] for name in difflib.get_close_matches(key.rpartition(".")[2], list(last), 1, 0.75)]
        return found[0] if found else None


@dataclass
class Layers:
    """Values by dotted key, each with where it came from, and the faults found on the way; the weakest is read first."""

    vocabulary: Vocabulary
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, key: str, value: object, origin: str) -> None:
        """Take a value, over one from a weaker source."""
        if self.vocabulary.has(key):
            self.values[key], self.origins[key] = value, origin
        else:
            self.faults.append(f"{key} ({origin}): no such setting{asked(self.vocabulary.nearest(key))}")

    def read_file(self, config: Path | None) -> None:
        """Read this file, which must exist, or the usual one, if it is there."""
        path = config or Path(self.vocabulary.file)
        if config is None and not path.exists():
            return
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            self.faults.append(f"{path}: cannot be read: {error.strerror}")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            self.faults.append(f"{path}: is not TOML: {error}")
        else:
            for key, value in _leaves(tree):
                self.add(key, value, str(path))

    def read_environment(self, environment: Mapping[str, str]) -> None:
        """Read the variables of our prefix; `…_FILE` of a secret names the file that it stands in."""
        known = self.vocabulary
        for name in sorted(environment):
            if not name.upper().startswith(known.prefix):
                continue
            key = known.key_of(name[len(known.prefix) :])
            secret = key.removesuffix("_file")
            if known.has(key):
                self.add(key, environment[name], name)
            elif secret != key and secret in known.secrets:
                self._read_secret(secret, environment[name], name)
            else:
                near = known.nearest(key)
                self.faults.append(f"{name}: no such setting{asked(near and known.variable(near))}")

    def line(self, key: str, said: str) -> str:
        """The fault of a value, in the words `said` of who checked it; a secret is not shown."""
        origin = self.origins.get(key)
        said = said.removeprefix("Value error, ").replace("Input should", "must").replace("String should", "must")
        if key in self.vocabulary.secrets or origin is None:
            return f"{key}{f' ({origin})' if origin else ''}: {said}"
        return f"{key} ({origin}): {said}, not {ascii(self.values[key])[:SHOWN_MAX]}"

    def _read_secret(self, key: str, path: str, name: str) -> None:
        variable = self.vocabulary.variable(key)
        if self.origins.get(key) == variable:
            self.faults.append(f"{key}: given as {variable} and as {name}; give one")
            return
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            self.faults.append(f"{name}: the file {path} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self.faults.append(f"{name}: the file {path} cannot be read: it is not text in UTF-8")
        else:
            if secret:
                self.add(key, secret, name)
            else:
                self.faults.append(f"{name}: the file {path} is empty")


def dotted(place: tuple[int | str, ...]) -> str:
    """The key of a place that a model names; an index of a list is no part of it."""
    return ".".join(str(part) for part in place if not isinstance(part, int))


def asked(near: str | None) -> str:
    """`; did you mean …?`, or nothing where no name is near."""
    return f"; did you mean {near}?" if near else ""


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
