"""Sealing the secrets of notification addresses anew, under the first of the keys. Source: spec/notification.md NT-44."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from outrider.bootstrap.notifying import secret_codec
from outrider.bootstrap.settings import notification_of
from outrider.bootstrap.wiring import Site
from outrider.core import audit
from outrider.core.errors import ConfigurationError
from outrider.core.steps import Steps
from outrider.notification.opening import resealed
from outrider.notification.store.people import AddressRow
from outrider.notification.store.rekeying import Rekeyed, rekey
from outrider.ports.codec import SecretCodec

BATCH: Final = 200
BY_HAND: Final = "sealed anew by hand"
"""The reason where none is given."""
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RekeyReport:
    """Addresses with secrets, those that were sealed anew (or would be), and those that no key opens."""

    looked_at: int
    changed: int
    unreadable: tuple[UUID, ...]


async def rekey_secrets(
    made: Site, *, actor: str, reason: str = BY_HAND, dry_run: bool = False, tell: Tell | None = None
) -> RekeyReport:
    """Seal every secret under the first key, batch by batch, each a transaction with its row in the audit table.

    May run while notifiers do, and again after an interruption: what is sealed so already is passed over. Take an old key
    out of the settings once nothing is unreadable without it. Raises ConfigurationError without keys, StorageUnavailable.
    """
    values = notification_of(made.settings)
    if not values.secret_keys:
        raise ConfigurationError("notification.secret_keys: there is no key to seal with")
    codec = secret_codec(made, values)
    looked_at = changed = 0
    unreadable: tuple[UUID, ...] = ()
    behind: UUID | None = None
    async with made.session() as session:
        while True:
            found = await session.transact(_batch(codec, behind, actor, reason, dry=dry_run))
            looked_at, changed = looked_at + found.looked_at, changed + found.changed
            unreadable += found.unreadable
            if tell is not None:
                tell(looked_at)
            behind = found.behind
            if behind is None:
                return RekeyReport(looked_at, changed, unreadable)


def _batch(codec: SecretCodec, behind: UUID | None, actor: str, reason: str, *, dry: bool) -> Steps[Rekeyed]:
    def reseal(row: AddressRow) -> str | None:
        return resealed(row, codec)

    found = yield from rekey(reseal, BATCH, behind, dry=dry)
    if found.changed and not dry:
        yield from audit.write(actor, "rekey", {}, found.changed, reason)
    return found
