"""Links that open one thing without a sign-in: a preview to see or to answer, a calendar to subscribe, a sign-in.

Invariant: a link is shown once and stored as its token's hash; whatever is wrong with one, the answer is `not_found`.
Source: spec/scheduling.md ST-17, ST-61.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, cast, get_args

from steward.domain.applying import UNDO_WINDOW
from steward.domain.checks import one_of
from steward.domain.errors import NotFound
from steward.ports.chance import Chance
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.person import LinkRow, UserRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Reading, Storage, Writing
from steward.service.answer import Answer, Caller
from steward.service.fields import read_fields, required, word
from steward.service.instants import optional_text
from steward.service.link_tokens import LinkKeys
from steward.service.problems import AlreadyUndone, Expired, PreviewIgnored, PreviewNotReady, PreviewSuperseded
from steward.service.reading import apply_of, own_preview
from steward.service.tokens import USE_NOTED_EVERY, Identity, hash_of_secret, identity_of

Purpose = Literal["view", "act", "calendar", "sign_in"]
PreviewPurpose = Literal["view", "act"]
SIGN_IN_GOOD_FOR: Final = timedelta(minutes=15)
CREATED: Final = 201
_SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "view": frozenset({"previews"}),
    "act": frozenset({"previews"}),
    "calendar": frozenset({"calendar"}),
    "sign_in": frozenset(),
}
_PATHS: Final[Mapping[str, str]] = {"view": "/p/{}", "act": "/p/{}", "calendar": "/c/{}.ics", "sign_in": "/sign-in/{}"}


@dataclass(frozen=True, slots=True)
class OpenLink:
    """What a good link opens, for whom; `preview_id` of a preview link alone."""

    identity: Identity
    purpose: Purpose
    preview_id: str | None
    hash: str


class Links:
    """The links of all persons."""

    def __init__(
        self, *, storage: Storage, chance: Chance, keys: LinkKeys, undo_window: timedelta = UNDO_WINDOW
    ) -> None:
        self._storage, self._chance = storage, chance
        self._keys, self._undo_window = keys, undo_window

    async def make(self, caller: Caller, preview_id: str, values: Mapping[str, object]) -> Answer:
        """A link to a preview, told this once: `purpose` `view` opens it, `act` also answers it.

        Raises NotFound, and why a preview that is over gets none.
        """
        required(values, "purpose")
        read = read_fields(values, {"purpose": _preview_purpose})

        async def work(tx: Writing) -> dict[str, Any]:
            preview = await own_preview(tx, caller.user_id, preview_id)
            await _refuse_ended(tx, preview)
            row = _blank(
                caller.user_id,
                str(read["purpose"]),
                preview_id=preview_id,
                base_version=preview.base_version,
                expires_at=preview.expires_at + self._undo_window,
            )
            return await self._store(tx, row)

        return Answer(CREATED, await self._storage.write(work), resource_id=preview_id)

    async def make_calendar(self, user_id: str) -> dict[str, Any]:
        """A link under which a calendar program reads the person's blocks, until it is revoked."""
        return await self._storage.write(lambda tx: self._for_person(tx, _blank(user_id, "calendar")))

    async def make_sign_in(self, user_id: str) -> dict[str, Any]:
        """A link that signs in once, within 15 minutes."""

        async def work(tx: Writing) -> dict[str, Any]:
            return await self._for_person(tx, _blank(user_id, "sign_in", expires_at=tx.now + SIGN_IN_GOOD_FOR))

        return await self._storage.write(work)

    async def open(self, token: str, *purposes: Purpose) -> OpenLink:
        """What the token opens, for one of these purposes. Raises NotFound for every token that is not good now."""
        name = hash_of_secret(token)

        async def look(tx: Reading) -> tuple[OpenLink, bool]:
            row = await self.good(tx, token, *purposes)
            identity = await identity_of(tx, row.user_id, _SCOPES[row.purpose])
            note = row.last_used_at is None or tx.now - row.last_used_at > USE_NOTED_EVERY
            return OpenLink(identity, cast("Purpose", row.purpose), row.preview_id, row.hash), note

        opened, note = await self._storage.read(look)
        if note:
            await self._storage.note(lambda tx: tx.change(LinkRow, {"hash": name}, {"last_used_at": tx.now}))
        return opened

    async def good(self, tx: Reading, token: str, *purposes: Purpose) -> LinkRow:
        """The token's row, if it is good now for one of these purposes. Raises NotFound."""
        row = await tx.one(LinkRow, {"hash": hash_of_secret(token)})
        if row is None or row.purpose not in purposes or not self._keys.fits(token, row):
            raise NotFound("link", "")
        over = row.expires_at is not None and row.expires_at <= tx.now
        if over or row.revoked_at is not None or row.used_at is not None:
            raise NotFound("link", "")
        if row.preview_id is not None and not await _opens(tx, row):
            raise NotFound("link", "")
        return row

    async def revoke(self, user_id: str, purpose: Purpose, *, preview_id: str | None = None) -> int:
        """End the person's links of this purpose, or those to one preview: how many there were."""
        live: dict[str, object] = {"user_id": user_id, "purpose": purpose, "revoked_at": None}
        if preview_id is not None:
            live["preview_id"] = preview_id
        return await self._storage.write(lambda tx: tx.change(LinkRow, live, {"revoked_at": tx.now}))

    async def _for_person(self, tx: Writing, row: LinkRow) -> dict[str, Any]:
        if await tx.one(UserRow, {"user_id": row.user_id}) is None:
            raise NotFound("user", row.user_id)
        return await self._store(tx, row)

    async def _store(self, tx: Writing, row: LinkRow) -> dict[str, Any]:
        token, signed = self._keys.sign(row, self._chance)
        await tx.insert(signed)
        return {
            "token": token,
            "path": _PATHS[row.purpose].format(token),
            "purpose": row.purpose,
            "preview_id": row.preview_id,
            "expires_at": optional_text(row.expires_at),
        }


def _blank(
    user_id: str,
    purpose: str,
    *,
    preview_id: str | None = None,
    base_version: str | None = None,
    expires_at: datetime | None = None,
) -> LinkRow:
    return LinkRow("", user_id, purpose, "", preview_id, base_version, expires_at)


async def _opens(tx: Reading, row: LinkRow) -> bool:
    """Whether the preview is the one that the link was made for, and has not ended; once applied, until undo ends."""
    preview = await tx.one(PreviewRow, {"preview_id": row.preview_id, "user_id": row.user_id})
    if preview is None or preview.base_version != row.base_version:
        return False
    if preview.status in {"ready", "pending"}:
        return preview.expires_at > tx.now
    return preview.status in {"applied", "undone"} and await _undo_ahead(tx, preview)


async def _refuse_ended(tx: Reading, preview: PreviewRow) -> None:
    match preview.status:
        case "undone":
            raise AlreadyUndone(preview.preview_id)
        case "ignored":
            raise PreviewIgnored(preview.preview_id)
        case "superseded":
            raise PreviewSuperseded(preview.superseded_by)
        case "failed":
            raise PreviewNotReady(preview.status)
        case "applied" if await _undo_ahead(tx, preview):
            return
        case "ready" | "pending" if preview.expires_at > tx.now:
            return
        case _:
            raise Expired(preview.preview_id)


async def _undo_ahead(tx: Reading, preview: PreviewRow) -> bool:
    apply: ApplyRow | None = await apply_of(tx, preview)
    return apply is not None and apply.undo_until is not None and apply.undo_until > tx.now


def _preview_purpose(value: object, field: str) -> str:
    return one_of(word(value, field), field, get_args(PreviewPurpose))
