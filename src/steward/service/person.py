"""A person: their profile with its defaults, and making one.

Invariant: a person has a calendar row from the start, so their lock exists before anything of theirs does.
Source: spec/scheduling.md §2, ST-12, ST-47.
"""

from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from steward.domain.checks import one_of
from steward.domain.errors import NotFound, ValidationFailed
from steward.domain.grid import Grid
from steward.domain.grid_json import grid_from_json
from steward.domain.ids import parse_id, row_id
from steward.domain.profile import Locale, Profile, Role
from steward.ports.chance import Chance
from steward.ports.rows.calendar import CalendarRow
from steward.ports.rows.person import UserRow
from steward.ports.storage import Reading, Storage, Taken, Writing

SHARE_TITLES: Final = "share_titles"
SUGGESTIONS: Final = "suggestions"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a person has who has not chosen otherwise."""

    zone: str = "Asia/Shanghai"
    locale: Locale = "zh-CN"
    grid: Grid = field(default_factory=Grid)


def profile_from(row: UserRow, defaults: Defaults) -> Profile:
    """The person as decisions know them."""
    chosen = row.settings_json or {}
    return Profile(
        user_id=row.user_id,
        name=row.name,
        role=cast("Role", row.role),
        locale=cast("Locale", row.locale),
        zone=row.zone,
        grid=defaults.grid if row.grid_json is None else grid_from_json(row.grid_json),
        share_titles=chosen.get(SHARE_TITLES, True),
        suggestions=chosen.get(SUGGESTIONS, True),
        version=row.profile_version,
    )


async def profile_of(tx: Reading, user_id: str, defaults: Defaults) -> Profile:
    """The person with this id. Raises NotFound."""
    row = await tx.one(UserRow, {"user_id": user_id})
    if row is None:
        raise NotFound("user", user_id)
    return profile_from(row, defaults)


class People:
    """Who there is."""

    def __init__(self, *, storage: Storage, chance: Chance, defaults: Defaults) -> None:
        self._storage = storage
        self._chance = chance
        self._defaults = defaults

    async def create(
        self,
        name: str,
        *,
        user_id: str | None = None,
        role: str = "user",
        locale: str | None = None,
        zone: str | None = None,
    ) -> dict[str, Any]:
        """Make a person, without an id under a new one. Raises ValidationFailed, also where the id is taken."""
        wanted = UserRow(
            user_id=row_id("usr", self._chance.uuid7()) if user_id is None else parse_id(user_id, "user_id"),
            name=name,
            role=one_of(role, "role", get_args(Role)),
            locale=locale or self._defaults.locale,
            zone=zone or self._defaults.zone,
        )
        profile_from(wanted, self._defaults)

        async def work(tx: Writing) -> None:
            await tx.insert(wanted)
            await tx.insert(CalendarRow(wanted.user_id))

        try:
            await self._storage.write(work)
        except Taken:
            raise ValidationFailed("user_id", "an id that nobody has") from None
        return _view(wanted)

    async def list(self) -> list[dict[str, Any]]:
        """Everybody, by id."""

        async def work(tx: Reading) -> list[UserRow]:
            return await tx.all(UserRow, {}, order=("user_id",))

        return [_view(row) for row in await self._storage.read(work)]


def _view(row: UserRow) -> dict[str, Any]:
    return {"user_id": row.user_id, "name": row.name, "role": row.role, "locale": row.locale, "zone": row.zone}
