"""What may be set for a channel, and what follows from a form. Source: spec/notification.md §11, §12, NT-46.

Invariant: a form says everything it means: an unknown field is refused, a secret left out is kept, null clears it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from outrider.core.errors import SettingsRefused
from outrider.core.notification.address import AddressSettings
from outrider.core.secret import Secret

TEXT_MAX: Final = 4_096
_OLD: Final = "sign_secret_old"
_ROTATED: Final = "sign_rotated_at"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one channel: `values` may be shown, `secrets` never are. `rotates`: an exchanged signing secret signs on
    beside the new one.
    """

    values: tuple[str, ...] = ("auth_type",)
    secrets: tuple[str, ...] = ("webhook_url", "bearer_token", "sign_secret")
    rotates: bool = False


WEBHOOK: Final = Form()
FORMS: Final[Mapping[str, Form]] = {
    "webhook": Form(rotates=True),
    "email": Form(("email",), ()),
    "feishu_app": Form(("receive_id_type", "receive_id"), ()),
    "apprise": Form((), ("apprise_url",)),
}
"""The channels that take something else than a webhook."""


def form_of(channel: str) -> Form:
    """What the channel takes."""
    return FORMS.get(channel, WEBHOOK)


def is_personal(channel: str) -> bool:
    """Whether a person may set it without another's help: not where it could be aimed at a third person (§12)."""
    return channel not in {"email", "feishu_app", "apprise"}


def settings_of(
    channel: str, said: Mapping[str, Any], kept: AddressSettings | None, now: datetime
) -> tuple[AddressSettings, bool]:
    """The settings that a form gives beside those that are stored, and whether the address is switched on.

    Raises SettingsRefused that names each field of a wrong type, and each that the channel does not have.
    """
    form = form_of(channel)
    _check(form, said)
    before = kept or AddressSettings()
    values = {name: said.get(name, before.values.get(name)) for name in form.values}
    secrets = dict(before.secrets)
    for name in form.secrets:
        if name in said:
            secrets.pop(name, None)
            if said[name] is not None:
                secrets[name] = Secret(said[name])
    shown = {name: value for name, value in values.items() if value is not None}
    if form.rotates:
        shown |= _rotated(before, secrets, now)
    return AddressSettings(shown, secrets), said.get("enabled", True)


def _rotated(before: AddressSettings, secrets: dict[str, Secret], now: datetime) -> dict[str, str]:
    """Keep an exchanged signing secret and when that was (NT-46); change `secrets` so."""
    old, new = before.secrets.get("sign_secret"), secrets.get("sign_secret")
    if old and new and old != new:
        secrets[_OLD] = old
        return {_ROTATED: now.isoformat()}
    if not new:
        secrets.pop(_OLD, None)
        return {}
    return {_ROTATED: before.values[_ROTATED]} if _ROTATED in before.values else {}


def _check(form: Form, said: Mapping[str, Any]) -> None:
    refused = []
    for name, value in said.items():
        if name == "enabled":
            wrong = None if isinstance(value, bool) else "must be true or false"
        elif name in form.secrets:
            wrong = None if value is None or _is_text(value) else "must be text, or null to clear it"
        elif name in form.values:
            wrong = None if _is_text(value) else "must be text"
        else:
            wrong = "is no setting of this channel"
        if wrong:
            refused.append((name, "validation_failed", wrong))
    if refused:
        raise SettingsRefused(refused)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_MAX
