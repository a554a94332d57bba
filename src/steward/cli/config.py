"""`steward config show`: the settings, and where each comes from."""

from datetime import timedelta

from pydantic import SecretStr

from steward.bootstrap.derive import derived, masked
from steward.bootstrap.running import seconds
from steward.bootstrap.settings_model import Settings, known_keys
from steward.cli.frame import Call, command, new_app

app = new_app("Show the settings, and where each comes from.")

SHOW = (
    ("steward config show", "every setting, its value and its origin; secrets are masked"),
    ("steward config show --json", "the same for a program"),
)


@app.callback()
def group() -> None:
    """Show the settings, and where each comes from."""


@command(app, "show", examples=SHOW)
def show(call: Call) -> None:
    """Print every setting with its value and where it comes from, and check what is derived for Outrider."""
    read = call.read()
    derived(read)
    shown = [(key, _text(key, read.settings), read.origins.get(key, "default")) for key in known_keys()]
    if call.out.as_json:
        call.out.json({key: {"value": value, "origin": origin} for key, value, origin in shown})
    else:
        call.out.table(("setting", "value", "from"), shown)


def _text(key: str, settings: Settings) -> str | None:
    value: object = settings
    for part in key.split("."):
        value = getattr(value, part)
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return "***"
    return seconds(value) if isinstance(value, timedelta) else masked(key, value)
