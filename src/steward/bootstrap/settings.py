"""Settings from flags, environment, file and defaults, in this order; the only reader of Steward's environment.

Invariant: either every fault of every source is named at once, or the settings are whole; nothing unknown is passed over.
Source: spec/scheduling.md §16.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from outrider.bootstrap.layers import Layers, Vocabulary, dotted
from outrider.bootstrap.settings import wants_color
from steward.bootstrap.faults import SettingsWrong
from steward.bootstrap.settings_model import SECRETS, Settings, known_keys

__all__ = ["Read", "load", "process_environment", "variable", "wants_color"]

ENVIRONMENT: Final = "STEWARD_"
FILE: Final = "steward.toml"
FLAG: Final = "flag"


@dataclass(frozen=True, slots=True)
class Read:
    """The settings, and where each that was given came from."""

    settings: Settings
    origins: Mapping[str, str]


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Read:
    """Read the settings. `flags` are values by dotted key; `config` is a file that must exist (default: `steward.toml` here,
    if there is one); `environment` stands for the process's own. Raises SettingsWrong, which names every fault.
    """
    layers = Layers(_vocabulary())
    layers.read_file(config)
    layers.read_environment(process_environment() if environment is None else environment)
    for key, value in (flags or {}).items():
        layers.add(key, value, FLAG)
    return Read(_checked(layers), layers.origins)


def process_environment() -> Mapping[str, str]:
    """The variables of this process."""
    return os.environ


def variable(key: str) -> str:
    """`scan.interval` as `STEWARD_SCAN__INTERVAL`."""
    return _vocabulary().variable(key)


def _vocabulary() -> Vocabulary:
    keys = known_keys()
    return Vocabulary(ENVIRONMENT, FILE, keys.__contains__, lambda _: keys, SECRETS, _key)


def _key(name: str) -> str:
    return name.lower().replace("__", ".")


def _checked(layers: Layers) -> Settings:
    try:
        settings = Settings.model_validate(_tree(layers.values))
    except ValidationError as error:
        layers.faults += [layers.line(dotted(found["loc"]), found["msg"]) for found in error.errors()]
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


def _production(settings: Settings) -> Iterator[str]:
    """What a production profile refuses (ST-18, X14)."""
    if settings.trigger.allow_mock_time:
        yield "trigger.allow_mock_time: mock time has no place in production"
    if not settings.public_url.startswith("https://"):
        yield f"http.public_url: must be https in production, not {settings.public_url}"
    if settings.secret_key is None:
        yield f"secret_key: is required in production; set it as {variable('secret_key')}"
