"""Where a channel finds a recipient, and what limits and breakers count on. Source: spec/notification.md §1, §9, §12."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.notification.traits import Rate, check_rates
from outrider.core.secret import Secret

NO_AUTH: Final = "none"


class AddressState(StrEnum):
    """Whether an address can be used: `invalid` its provider refused it, `disabled` it was switched off for it (NT-27)."""

    OK = "ok"
    INVALID = "invalid"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class AddressSettings:
    """What a recipient set for a channel: `values` may be shown, `secrets` never are.

    Names in `secrets`: `webhook_url`, `bearer_token`, `sign_secret`, `sign_secret_old` (the one before a rotation),
    `apprise_url`. Names in `values`: `auth_type` (`none`, `bearer` or `sign`; absent is none), `email`,
    `receive_id_type`, `receive_id`, `sign_rotated_at` (instant, RFC 3339). A channel reads those that it knows.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def auth_type(self) -> str:
        """How a call proves itself."""
        return self.values.get("auth_type", NO_AUTH)


@dataclass(frozen=True, slots=True)
class Address:
    """A recipient's settings on one channel, as they stood when they were read.

    `id` and `version` are None where the channel needs no settings (inbox, console) and on a test send of settings
    that are not saved. `reason` says why it is not `ok`.
    """

    recipient_id: str
    channel: str
    settings: AddressSettings = field(default_factory=AddressSettings)
    enabled: bool = True
    state: AddressState = AddressState.OK
    reason: str | None = None
    id: UUID | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why settings cannot be saved. `field` is the setting's name; `message` is for people and free of its value.

    `code`: `unsafe_url` a URL that must not be called · `validation_failed` anything else.
    """

    field: str
    code: Literal["unsafe_url", "validation_failed"]
    message: str


@dataclass(frozen=True, slots=True)
class Destination:
    """What rates and breaker count on: a webhook URL, an app, one receiver of it, a mail server.

    `key`: see `destination_key`. `label`: masked, for people. `rates`: at most two, the shorter span first; none is
    unlimited. `shared`: several recipients are behind it, so that its failure is the operators' to hear of, and
    disables no one's address.
    """

    key: bytes
    channel: str
    label: str
    rates: tuple[Rate, ...] = ()
    shared: bool = False

    def __post_init__(self) -> None:
        check_rates(self.rates)


def destination_key(channel: str, *identity: str) -> bytes:
    """The 32 bytes that name a destination: SHA-256 of the canonical JSON array of `v1`, channel and identity.

    What identifies it may be a secret URL; the key gives nothing of it away.
    """
    return sha256(canonical_json(["v1", channel, *identity])).digest()
