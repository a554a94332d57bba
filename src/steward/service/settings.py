"""What a person may set: how they speak, where they live, when they work, and what a model may see.

Invariant: any change raises the profile's version, on which candidates stand; a refused grid leaves the old one.
Source: spec/scheduling.md ST-12, ST-36, ST-40, §12, §18.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from steward.domain.checks import one_of
from steward.domain.checks import zone as known_zone
from steward.domain.errors import NotFound
from steward.domain.grid_json import grid_as_json, grid_from_json
from steward.domain.profile import LOCALES, Profile
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.person import UserRow
from steward.ports.storage import Raise, Reading, Storage, Writing
from steward.service.answer import Answer, Caller, Keyed, expect_version
from steward.service.answer import keyed as under_key
from steward.service.changing import raise_revision
from steward.service.event_fields import all_day_again
from steward.service.fields import Reader, flag, or_none, read_fields, word
from steward.service.person import SHARE_TITLES, SUGGESTIONS, Defaults, profile_from

_FIELDS: Final[Mapping[str, Reader]] = {
    "zone": lambda value, field: known_zone(word(value, field), field).key,
    "locale": lambda value, field: one_of(word(value, field), field, LOCALES),
    "grid": or_none(lambda value, _: grid_as_json(grid_from_json(value))),
    SHARE_TITLES: flag,
    SUGGESTIONS: flag,
}


class PersonSettings:
    """One person's settings."""

    def __init__(self, *, storage: Storage, defaults: Defaults) -> None:
        self._storage, self._defaults = storage, defaults

    async def get(self, caller: Caller) -> dict[str, Any]:
        """The settings, defaults filled in. Raises NotFound."""

        async def work(tx: Reading) -> dict[str, Any]:
            return _view(profile_from(await _own(tx, caller.user_id), self._defaults))

        return await self._storage.read(work)

    async def edit(
        self, caller: Caller, values: Mapping[str, object], *, keyed: Keyed | None = None, if_match: str | None = None
    ) -> Answer:
        """Change what is given; `grid` None takes the default grid again. Another zone moves the all-day events' bounds."""

        async def work(tx: Writing) -> Answer:
            before = await _own(tx, caller.user_id)
            expect_version(if_match, str(before.profile_version))
            after = _edited(before, read_fields(values, _FIELDS))
            profile = profile_from(after, self._defaults)
            if after != before:
                after = replace(after, profile_version=before.profile_version + 1)
                profile = profile_from(after, self._defaults)
                await _write(tx, after)
            if after.zone != before.zone:
                await _derive_again(tx, profile)
            return Answer(200, _view(profile), etag=str(profile.version))

        return await under_key(self._storage, caller, keyed, "settings.edit", work)


async def _own(tx: Reading, user_id: str) -> UserRow:
    row = await tx.one(UserRow, {"user_id": user_id})
    if row is None:
        raise NotFound("user", user_id)
    return row


def _edited(row: UserRow, fields: Mapping[str, Any]) -> UserRow:
    chosen = {name: fields[name] for name in (SHARE_TITLES, SUGGESTIONS) if name in fields}
    return replace(
        row,
        zone=fields.get("zone", row.zone),
        locale=fields.get("locale", row.locale),
        grid_json=fields.get("grid", row.grid_json),
        settings_json={**(row.settings_json or {}), **chosen} if chosen else row.settings_json,
    )


async def _write(tx: Writing, row: UserRow) -> None:
    columns = ("zone", "locale", "grid_json", "settings_json", "profile_version")
    await tx.change(UserRow, {"user_id": row.user_id}, {name: getattr(row, name) for name in columns})


async def _derive_again(tx: Writing, profile: Profile) -> None:
    """Give each all-day event the midnights of the person's zone."""
    moved = False
    for row in await tx.all(EventRow, {"user_id": profile.user_id, "all_day": True}):
        again = all_day_again(row, profile)
        if again != row:
            place = {"start_at": again.start_at, "end_at": again.end_at, "version": Raise()}
            await tx.change(EventRow, {"event_id": row.event_id, "user_id": row.user_id}, place)
            moved = True
    if moved:
        await raise_revision(tx, profile.user_id)


def _view(profile: Profile) -> dict[str, Any]:
    return {
        "user_id": profile.user_id,
        "name": profile.name,
        "role": profile.role,
        "locale": profile.locale,
        "zone": profile.zone,
        "grid": grid_as_json(profile.grid),
        SHARE_TITLES: profile.share_titles,
        SUGGESTIONS: profile.suggestions,
        "version": profile.version,
    }
