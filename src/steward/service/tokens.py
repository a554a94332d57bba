"""Bearer tokens for programs: made, shown once, checked by their hash, revoked.

Invariant: a token is stored as its SHA-256 alone, and allows its scopes and nothing else. Source: spec/scheduling.md ST-57.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, cast

from steward.domain.checks import text
from steward.domain.errors import NotFound, ValidationFailed
from steward.domain.profile import Locale, Role
from steward.ports.chance import Chance
from steward.ports.rows.person import TokenRow, UserRow
from steward.ports.storage import Reading, Storage, Writing
from steward.service.answer import SCOPES
from steward.service.instants import optional_text
from steward.service.problems import Unauthenticated

PREFIX: Final = "stw_"
SECRET_BYTES: Final = 32
NAME_CHARACTERS_MAX: Final = 64
USE_NOTED_EVERY: Final = timedelta(minutes=1)
"""`last_used_at` is as old as this at most, so that a busy program does not write a row a request."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a secret stands for, and what it allows."""

    user_id: str
    role: Role
    locale: Locale
    scopes: frozenset[str]
    name: str
    zone: str


class Tokens:
    """The tokens of all persons."""

    def __init__(self, *, storage: Storage, chance: Chance) -> None:
        self._storage, self._chance = storage, chance

    async def make(
        self, user_id: str, name: str, scopes: Iterable[str], *, expires_at: datetime | None = None
    ) -> dict[str, Any]:
        """A new token, told this once. Raises ValidationFailed for an unknown scope or name, NotFound for the person."""
        wanted = sorted(set(scopes))
        if not wanted or not set(wanted) <= SCOPES:
            raise ValidationFailed("scopes", f"some of {', '.join(sorted(SCOPES))}")
        text(name, "name", NAME_CHARACTERS_MAX)
        token = PREFIX + secret_text(self._chance, SECRET_BYTES)

        async def work(tx: Writing) -> None:
            if await tx.one(UserRow, {"user_id": user_id}) is None:
                raise NotFound("user", user_id)
            await tx.insert(TokenRow(hash_of_secret(token), user_id, name, ",".join(wanted), expires_at))

        await self._storage.write(work)
        return {"token": token, "name": name, "scopes": wanted, "expires_at": optional_text(expires_at)}

    async def check(self, token: str) -> Identity:
        """Who this token stands for. Raises Unauthenticated for one that is unknown, over or revoked."""
        found = hash_of_secret(token)

        async def look(tx: Reading) -> tuple[Identity, bool]:
            row = await tx.one(TokenRow, {"hash": found})
            if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= tx.now):
                raise Unauthenticated
            identity = await identity_of(tx, row.user_id, frozenset(row.scopes.split(",")))
            return identity, row.last_used_at is None or tx.now - row.last_used_at > USE_NOTED_EVERY

        identity, note = await self._storage.read(look)
        if note:
            await self._storage.note(lambda tx: tx.change(TokenRow, {"hash": found}, {"last_used_at": tx.now}))
        return identity

    async def revoke(self, user_id: str, name: str) -> int:
        """End the person's tokens of this name: how many there were."""

        async def work(tx: Writing) -> int:
            live = {"user_id": user_id, "name": name, "revoked_at": None}
            return await tx.change(TokenRow, live, {"revoked_at": tx.now})

        return await self._storage.write(work)


async def identity_of(tx: Reading, user_id: str, scopes: frozenset[str]) -> Identity:
    """The person with these scopes; `admin` only where that is their role. Raises Unauthenticated where they are gone."""
    person = await tx.one(UserRow, {"user_id": user_id})
    if person is None:
        raise Unauthenticated
    allowed = scopes if person.role == "admin" else scopes - {"admin"}
    return Identity(
        user_id, cast("Role", person.role), cast("Locale", person.locale), allowed, person.name, person.zone
    )


def secret_text(chance: Chance, count: int) -> str:
    """So many random bytes as text that goes anywhere."""
    return urlsafe_b64encode(chance.secret(count)).decode().rstrip("=")


def hash_of_secret(secret: str) -> str:
    """What is stored of a secret."""
    return sha256(secret.encode(errors="replace")).hexdigest()
