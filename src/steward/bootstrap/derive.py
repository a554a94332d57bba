"""What Steward derives for Outrider from its own settings: one database, one broker.

Invariant: where a setting of Outrider's is given too, it says the same, or nothing starts. Source: spec/scheduling.md ST-71.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from outrider.bootstrap.notification_catalog import SERVICE as NOTIFICATION
from outrider.bootstrap.settings import given, load
from outrider.bootstrap.settings import variable as outrider_variable
from outrider.bootstrap.settings_fields import parse_items
from outrider.bootstrap.settings_model import Settings as OutriderSettings
from steward.bootstrap.catalog import STEWARD
from steward.bootstrap.faults import SettingsWrong
from steward.bootstrap.settings import Read, variable
from steward.bootstrap.settings_model import SECRETS

ACTION_PATHS: Final = ("/previews/",)
FROM: Final = {
    "database.url": "database.url",
    "broker.url": "broker.url",
    "service.profile": "profile",
    "notification.public_base_url": "http.public_url",
    "notification.action_paths": None,
    "notification.default_zone": "defaults.zone",
    "notification.default_locale": "defaults.locale",
}
"""Outrider's keys, and Steward's from which each is derived; None: it is fixed."""
CONSUMERS_HERE: Final = "sweep.consumers_here"
_DRIVER: Final = re.compile(r"^([a-z]+)\+[a-z]+://")
_PASSWORD: Final = re.compile(r"(://[^:/@]*):[^@]*@")


@dataclass(frozen=True, slots=True)
class Derived:
    """Outrider's settings of the two services."""

    steward: OutriderSettings
    notification: OutriderSettings


def derived(read: Read, *, config: Path | None = None, environment: Mapping[str, str] | None = None) -> Derived:
    """Outrider's settings: those derived, and the rest as Outrider finds it; `config` is Outrider's file.

    Raises SettingsWrong where both say something and it differs, ConfigurationError for what is wrong with Outrider's own.
    """
    values = values_for_outrider(read)
    said = given(config=config, environment=environment)
    faults = [
        _fault(read, key, value, *said[key])
        for key, value in values.items()
        if key in said and _plain(key, said[key][0]) != _plain(key, value)
    ]
    if faults:
        raise SettingsWrong(faults)
    if CONSUMERS_HERE not in said:
        values |= {CONSUMERS_HERE: [STEWARD, NOTIFICATION]}

    def of(service: str) -> OutriderSettings:
        return load({**values, "service.name": service}, config=config, environment=environment)

    return Derived(of(STEWARD), of(NOTIFICATION))


def values_for_outrider(read: Read) -> dict[str, Any]:
    """What is derived, by Outrider's keys."""
    settings = read.settings
    return {
        "database.url": _DRIVER.sub(r"\1://", settings.database.url),
        "broker.url": settings.broker.url,
        "service.profile": settings.profile,
        "notification.public_base_url": settings.public_url,
        "notification.action_paths": list(ACTION_PATHS),
        "notification.default_zone": settings.defaults.zone,
        "notification.default_locale": settings.defaults.locale,
    }


def masked(key: str | None, value: object) -> str:
    """A value as it may be shown: a URL without its password, a secret not at all."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if key in SECRETS and "://" not in text and not text.endswith(":"):
        return "***"
    return _PASSWORD.sub(r"\1:***@", text)


def _plain(key: str, value: object) -> object:
    """What a value comes to, however it was written."""
    if key.endswith(".action_paths"):
        found = parse_items(value)
        return list(found) if isinstance(found, list | tuple) else found
    return _DRIVER.sub(r"\1://", value).rstrip("/") if isinstance(value, str) else value


def _fault(read: Read, key: str, value: object, theirs: object, origin: str) -> str:
    own = FROM[key]
    where = "fixed by Steward" if own is None else read.origins.get(own, "by default")
    name = key if own is None else own
    mine = f"{variable(own)} is" if own is not None else f"Steward needs {key} to be"
    return (
        f"{name}: {mine} {masked(key, value)} ({where}), but {outrider_variable(key)} is {masked(key, theirs)} ({origin});"
        " give one of them, or the same"
    )
