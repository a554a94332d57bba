"""Secrets at rest under other keys. Source: spec/notification.md NT-44."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from outrider.core.errors import SecretUnreadable
from outrider.core.steps import Statement, Steps
from outrider.notification.store.people import AddressRow, address_of

Reseal = Callable[[AddressRow], str | None]
"""An address's column anew under the first key; None where it is so already. Raises SecretUnreadable."""


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What a step did: addresses it looked at and sealed anew, those that no key opens, and where to go on (None: at the
    end).
    """

    looked_at: int
    changed: int
    unreadable: tuple[UUID, ...]
    behind: UUID | None


def rekey(reseal: Reseal, limit: int, behind: UUID | None = None, *, dry: bool = False) -> Steps[Rekeyed]:
    """Seal the secrets of at most `limit` addresses behind `behind` anew, in the order of ids.

    Safe to repeat and to interrupt: what is sealed by the first key stays as it is, and versions stay. An address that no
    key opens is left alone and named. `dry` writes nothing. Statements: `secret_addresses`, params `behind`,
    `limit` → addresses with secrets, locked, by id; `write_notification_secrets`, params `id`, `secrets`.
    """
    found = yield Statement("secret_addresses", {"behind": behind or UUID(int=0), "limit": limit})
    changes, lost = [], []
    for row in map(address_of, found):
        try:
            text = reseal(row)
        except SecretUnreadable:
            lost.append(row.id)
            continue
        if text is not None:
            changes.append({"id": row.id, "secrets": text})
    if changes and not dry:
        yield Statement("write_notification_secrets", many=changes)
    last = address_of(found[-1]).id if len(found) >= limit else None
    return Rekeyed(len(found), len(changes), tuple(lost), last)


def count_plain() -> Steps[int]:
    """Addresses with a secret that lies plain: statement `count_plain_secrets` → `(count)`."""
    rows = yield Statement("count_plain_secrets")
    return int(rows[0][0])
