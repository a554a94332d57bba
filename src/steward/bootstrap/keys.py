"""The keys that sign cursors and links and seal feed addresses, from `secret_key`.

Invariant: no two uses share a key; what an old key signed or sealed is still read. Source: spec/scheduling.md §16.
"""

import hmac
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from outrider.bootstrap.registry import sqlite_path
from steward.bootstrap.faults import SettingsWrong
from steward.bootstrap.settings import variable
from steward.bootstrap.settings_model import Settings

SECRET_BYTES: Final = 32
MODE: Final = 0o600


class Keys:
    """Keys for each use, the one that is written with first."""

    def __init__(self, secrets: tuple[bytes, ...]) -> None:
        self._secrets = secrets

    def of(self, use: str) -> list[bytes]:
        """The keys of this use, 32 bytes each."""
        return [hmac.digest(secret, b"steward " + use.encode(), "sha256") for secret in self._secrets]


def keys_of(settings: Settings, random: Callable[[int], bytes]) -> Keys:
    """The keys of the settings; in development on SQLite made and kept beside the file. Raises SettingsWrong."""
    given = [key.get_secret_value() for key in (settings.secret_key, settings.secret_key_old) if key is not None]
    if settings.secret_key is not None:
        return Keys(tuple(key.encode() for key in given))
    if not settings.database.url.startswith("sqlite"):
        raise SettingsWrong([f"secret_key: is required, save on SQLite; set it as {variable('secret_key')}"])
    url = settings.database.url.replace("sqlite+aiosqlite:", "sqlite:", 1)
    return Keys((_kept(Path(f"{sqlite_path(url)}.key"), random), *(key.encode() for key in given)))


def _kept(path: Path, random: Callable[[int], bytes]) -> bytes:
    """What the file says; made where there is none, whole from the first, by one of several processes."""
    own = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE), "wb") as file:
            file.write(urlsafe_b64encode(random(SECRET_BYTES)))
        with suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    return path.read_bytes().strip()
