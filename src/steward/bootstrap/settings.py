"""Settings from flags, environment, file and defaults, in this order; the only reader of Steward's environment.

Invariant: either every fault of every source is named at once, or the settings are whole; nothing unknown is passed over.
Source: spec/scheduling.md §16.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from steward.bootstrap.faults import SettingsWrong
from steward.bootstrap.settings_model import SECRETS, Settings, known_keys

ENVIRONMENT: Final = "STEWARD_"
FILE: Final = "steward.toml"
SHOWN_MAX: Final = 60
FLAG: Final = "flag"


@dataclass(frozen=True, slots=True)
class Read:
    """The settings, and where each that was given came from."""

    settings: Settings
    origins: Mapping[str, str]


@dataclass
class _Layers:
    """Values by dotted key, each with where it came from, and the faults found on the way."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, key: str, value: object, origin: str) -> None:
        """Take a value, over one from a weaker source."""
        if key in known_keys():
            self.values[key], self.origins[key] = value, origin
        else:
            self.faults.append(f"{key} ({origin}): no such setting{nearest(key)}")


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Read:
    """Read the settings. `flags` are values by dotted key; `config` is a file that must exist (default: `steward.toml` here,
    if there is one); `environment` stands for the process's own. Raises SettingsWrong, which names every fault.
    """
    layers = _Layers()
    _read_file(layers, config)
    _read_environment(layers, process_environment() if environment is None else environment)
    for key, value in (flags or {}).items():
        layers.add(key, value, FLAG)
    return Read(_checked(layers), layers.origins)


def process_environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


def wants_color() -> bool:
    """Whether the person has not set NO_COLOR, the terminals' own convention (no-color.org)."""
    return not os.environ.get("NO_COLOR")


def variable(key: str) -> str:
    """`scan.interval` as `STEWARD_SCAN__INTERVAL`."""
    return ENVIRONMENT + key.upper().replace(".", "__")


def nearest(key: str) -> str:
    """`; did you mean …?`, or nothing where no key is near."""
    known = list(known_keys())
    last: dict[str, str] = {}
    for one in known:
        last.setdefault(one.rpartition(".")[2], one)
    found = difflib.get_close_matches(key, known, 1, 0.6)
    found = found or [last[name] for name in difflib.get_close_matches(key.rpartition(".")[2], list(last), 1, 0.75)]
    return f"; did you mean {found[0]}?" if found else ""


def _read_file(layers: _Layers, config: Path | None) -> None:
    path = config or Path(FILE)
    if config is None and not path.exists():
        return
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        layers.faults.append(f"{path}: cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        layers.faults.append(f"{path}: is not TOML: {error}")
    else:
        for key, value in _leaves(tree):
            layers.add(key, value, str(path))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _read_environment(layers: _Layers, environment: Mapping[str, str]) -> None:
    for name in sorted(environment):
        if not name.upper().startswith(ENVIRONMENT):
            continue
        key = name[len(ENVIRONMENT) :].lower().replace("__", ".")
        secret = key.removesuffix("_file")
        if key in known_keys():
            layers.add(key, environment[name], name)
        elif secret != key and secret in SECRETS:
            _read_secret(layers, secret, environment[name], name)
        else:
            near = nearest(key).removeprefix("; did you mean ").removesuffix("?")
            asked = f"; did you mean {variable(near)}?" if near else ""
            layers.faults.append(f"{name}: no such setting{asked}")


def _read_secret(layers: _Layers, key: str, path: str, name: str) -> None:
    if layers.origins.get(key) == variable(key):
        layers.faults.append(f"{key}: given as {variable(key)} and as {name}; give one")
        return
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        layers.faults.append(f"{name}: the file {path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        layers.faults.append(f"{name}: the file {path} cannot be read: it is not text in UTF-8")
    else:
        if secret:
            layers.add(key, secret, name)
        else:
            layers.faults.append(f"{name}: the file {path} is empty")


def _checked(layers: _Layers) -> Settings:
    try:
        settings = Settings.model_validate(_tree(layers.values))
    except ValidationError as error:
        layers.faults += [_line(layers, found["loc"], found["msg"]) for found in error.errors()]
        raise SettingsWrong(layers.faults) from None
    if settings.profile == "production":
        layers.faults += _production(settings)
    if layers.faults:
        raise SettingsWrong(layers.faults)
    return settings


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[name] = value
    return tree


def _line(layers: _Layers, place: tuple[int | str, ...], message: str) -> str:
    key = ".".join(str(part) for part in place if not isinstance(part, int))
    origin = layers.origins.get(key)
    said = message.removeprefix("Value error, ").replace("Input should", "must").replace("String should", "must")
    if key in SECRETS or origin is None:
        return f"{key}{f' ({origin})' if origin else ''}: {said}"
    return f"{key} ({origin}): {said}, not {ascii(layers.values[key])[:SHOWN_MAX]}"


def _production(settings: Settings) -> Iterator[str]:
    """What a production profile refuses (ST-18, X14)."""
    if settings.trigger.allow_mock_time:
        yield "trigger.allow_mock_time: mock time has no place in production"
    if not settings.public_url.startswith("https://"):
        yield f"http.public_url: must be https in production, not {settings.public_url}"
    if settings.secret_key is None:
        yield f"secret_key: is required in production; set it as {variable('secret_key')}"
