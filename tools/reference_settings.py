"""The tables of the settings page, from the settings' own types."""

from collections.abc import Container, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from outrider.bootstrap.settings import OPEN_KEYS, all_keys, seconds
from outrider.bootstrap.settings_model import Destination, Settings
from outrider.bootstrap.settings_notification import Channel, Channels, Digest, Notification, Route
from steward.bootstrap.settings_model import Settings as StewardSettings
from steward.bootstrap.settings_model import known_keys
from tools.reference_words import idle, table, words

OPEN: Mapping[str, tuple[str, type[BaseModel] | None]] = {
    "broker.destinations": ("TOPIC", Destination),
    "notification.dedupe_windows": ("KIND", None),
    "notification.routes": ("KIND", Route),
    "notification.digest": ("KIND", Digest),
}
"""What stands for the user's own names below an open key, and what is said of each."""
CHANNELS = "notification.channels."
REQUIRED = frozenset({"service.name", "database.url"})


def setting_keys() -> dict[str, Any]:
    """Every setting with its default; those of one topic or kind stand under `TOPIC`, `KIND`, what all channels have under
    `CHANNEL`.
    """
    found: dict[str, Any] = {}
    for key, default in all_keys().items():
        if key in OPEN_KEYS:
            found |= {".".join(filter(None, (key, OPEN[key][0], name))): None for name in OPEN_KEYS[key] or ("",)}
        elif key.startswith(CHANNELS) and key.rpartition(".")[2] in Channel.model_fields:
            found |= {f"{CHANNELS}CHANNEL.{name}": one.default for name, one in Channel.model_fields.items()}
        else:
            found[key] = default
    return found


def settings() -> str:
    """A table a section."""
    said = words("settings", list(setting_keys()))
    sections: dict[str, list[tuple[str, str, str]]] = {}
    for key, default in setting_keys().items():
        shown = default_of(key, default)
        allowed = choices(key)
        meaning = (
            said[key]
            + (f" One of {', '.join(f'`{one}`' for one in allowed)}." if allowed else "")
            + idle("settings", key)
        )
        sections.setdefault(key.partition(".")[0], []).append((f"`{key}`", shown, meaning))
    return "\n".join(
        f"### `{name}.*`: `OUTRIDER_{name.upper()}__…`\n\n" + table(("key", "default", "what it is"), rows)
        for name, rows in sections.items()
    )


def steward_settings() -> str:
    """A table a section; first what stands in none."""
    said = words("steward_settings", list(known_keys()))
    sections: dict[str, list[tuple[str, str, str]]] = {}
    for key, default in known_keys().items():
        allowed = literals(_kind(StewardSettings, key.split(".")))
        meaning = said[key] + (f" One of {', '.join(f'`{one}`' for one in allowed)}." if allowed else "")
        section = key.partition(".")[0] if "." in key else ""
        sections.setdefault(section, []).append((f"`{key}`", default_of(key, default, ()), meaning))
    return "\n".join(
        (f"### `{name}.*`: `STEWARD_{name.upper()}__…`\n\n" if name else "")
        + table(("key", "default", "what it is"), rows)
        for name, rows in sections.items()
    )


def _kind(kind: Any, parts: Sequence[str]) -> Any:  # noqa: ANN401  an annotation
    """What is written at a field of a field."""
    for part in parts:
        assert issubclass(kind, BaseModel)
        kind = kind.model_fields[part].annotation
    return kind


def default_of(key: str, default: Any, required: Container[str] = REQUIRED) -> str:  # noqa: ANN401  settings are of many types
    """A default for people."""
    match default:
        case None | "":
            return "**required**" if key in required else "none"
        case bool():
            return "on" if default else "off"
        case timedelta():
            return seconds(default)
        case tuple():
            return ", ".join(default_of(key, one) for one in default) or "none"
        case Path():
            return "the temporary folder"
    return f"`{default}`"


def choices(key: str) -> tuple[str, ...]:
    """The values of a setting that is one of a few."""
    kind: Any = Settings
    parts = key.split(".")
    opened = ".".join(parts[:2])
    if opened in OPEN:
        kind, parts = OPEN[opened][1], parts[-1:]
        if kind is None:
            return ()
    elif parts[:3] == ["notification", "channels", "CHANNEL"]:
        kind, parts = Channel, parts[3:]
    elif key.startswith(CHANNELS):
        kind, parts = Channels, parts[2:]
    elif parts[0] == "notification":
        kind, parts = Notification, parts[1:]
    return literals(_kind(kind, parts))


def literals(kind: object) -> tuple[str, ...]:
    """The values of a Literal, also inside a union."""
    if get_origin(kind) is Literal:
        return tuple(str(one) for one in get_args(kind))
    return tuple(one for part in get_args(kind) for one in literals(part))
