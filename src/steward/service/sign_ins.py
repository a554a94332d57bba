"""Browsers that are signed in, by two cookies: one that opens pages, one without which nothing is changed.

Invariant: a cookie is stored as its hash; use renews it, and reading changes nothing but that.
Source: spec/scheduling.md ST-61, ST-62.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from steward.domain.errors import NotFound
from steward.ports.chance import Chance
from steward.ports.rows.person import LinkRow, SignInRow
from steward.ports.storage import Reading, Storage, Writing
from steward.service.answer import SCOPES
from steward.service.links import Links
from steward.service.problems import Unauthenticated
from steward.service.tokens import SECRET_BYTES, Identity, hash_of_secret, identity_of, secret_text

SIGN_IN_DAYS: Final = 90
RENEWED_EVERY: Final = timedelta(days=1)
"""A cookie's end is moved at most this often."""
CookiePurpose = Literal["view", "act"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The values of the two cookies, and until when they are good if nobody uses them."""

    view: str
    act: str
    user_id: str
    expires_at: datetime


class SignIns:
    """The signed-in browsers of all persons."""

    def __init__(self, *, storage: Storage, chance: Chance, links: Links, days: int = SIGN_IN_DAYS) -> None:
        self._storage, self._chance, self._links = storage, chance, links
        self._lasts = timedelta(days=days)

    async def start(self, user_id: str) -> SignedIn:
        """Sign a person in. Raises Unauthenticated where there is no such person."""
        return await self._storage.write(lambda tx: self._start(tx, user_id))

    async def start_by_link(self, token: str) -> SignedIn:
        """Sign in by a one-time link, which is used up. Raises NotFound for one that is not good, or was used."""

        async def work(tx: Writing) -> SignedIn:
            link = await self._links.good(tx, token, "sign_in")
            if not await tx.change(LinkRow, {"hash": link.hash, "used_at": None}, {"used_at": tx.now}):
                raise NotFound("link", "")
            return await self._start(tx, link.user_id)

        return await self._storage.write(work)

    async def check(self, secret: str, purpose: CookiePurpose) -> Identity:
        """Who this cookie stands for; its use moves its end. Raises Unauthenticated."""
        found = hash_of_secret(secret)

        async def look(tx: Reading) -> tuple[Identity, bool]:
            row = await tx.one(SignInRow, {"hash": found})
            if row is None or row.purpose != purpose or row.revoked_at is not None or row.expires_at <= tx.now:
                raise Unauthenticated
            due = row.expires_at - tx.now < self._lasts - RENEWED_EVERY
            return await identity_of(tx, row.user_id, SCOPES), due

        identity, due = await self._storage.read(look)
        if due:
            await self._storage.note(lambda tx: self._renew(tx, found))
        return identity

    async def end(self, *secrets: str) -> None:
        """Sign out: the cookies with these values are good for nothing any more."""

        async def work(tx: Writing) -> None:
            for secret in secrets:
                live = {"hash": hash_of_secret(secret), "revoked_at": None}
                await tx.change(SignInRow, live, {"revoked_at": tx.now})

        await self._storage.write(work)

    async def _start(self, tx: Writing, user_id: str) -> SignedIn:
        await identity_of(tx, user_id, SCOPES)
        expires_at = tx.now + self._lasts
        view, act = (secret_text(self._chance, SECRET_BYTES) for _ in range(2))
        await tx.insert(SignInRow(hash_of_secret(view), user_id, "view", expires_at))
        await tx.insert(SignInRow(hash_of_secret(act), user_id, "act", expires_at))
        return SignedIn(view, act, user_id, expires_at)

    async def _renew(self, tx: Writing, found: str) -> int:
        later = {"last_used_at": tx.now, "expires_at": tx.now + self._lasts}
        return await tx.change(SignInRow, {"hash": found, "revoked_at": None}, later)
