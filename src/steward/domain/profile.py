"""A person as Steward knows them: where they live, how they speak, and when they work.

Invariant: the zone is an IANA zone that exists; days, weeks and windows are always its, never the process's.
Source: spec/scheduling.md §2, ST-12.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from steward.domain.checks import TITLE_CHARACTERS_MAX, one_of, text, zone
from steward.domain.grid import Grid

Locale = Literal["zh-CN", "en"]
Role = Literal["user", "admin"]
LOCALES: Final = get_args(Locale)


@dataclass(frozen=True, slots=True)
class Profile:
    """A user row; `version` rises with each change, since candidates depend on it (ST-40)."""

    user_id: str
    name: str
    role: Role = "user"
    locale: Locale = "zh-CN"
    zone: str = "Asia/Shanghai"
    grid: Grid = field(default_factory=Grid)
    share_titles: bool = True
    suggestions: bool = True
    version: int = 1

    def __post_init__(self) -> None:
        text(self.name, "name", TITLE_CHARACTERS_MAX)
        one_of(self.role, "role", get_args(Role))
        one_of(self.locale, "locale", LOCALES)
        zone(self.zone)

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone itself."""
        return zone(self.zone)
