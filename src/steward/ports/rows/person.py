"""A person, how they sign in, and what they may spend."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class UserRow:
    """`steward_user`; `grid_json` None takes `defaults.grid`, `settings_json` None has everything on."""

    user_id: str
    name: str
    role: str = "user"
    locale: str = "zh-CN"
    zone: str = "Asia/Shanghai"
    grid_json: Any = None
    settings_json: Any = None
    profile_version: int = 1


@dataclass(frozen=True, slots=True)
class TokenRow:
    """`steward_token`: a bearer token by its SHA-256 (ST-57)."""

    hash: str
    user_id: str
    name: str
    scopes: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LinkRow:
    """`steward_link`: a link by its token's SHA-256 (ST-61)."""

    hash: str
    user_id: str
    purpose: str
    key_id: str
    preview_id: str | None = None
    base_version: str | None = None
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignInRow:
    """`steward_sign_in`: a browser's cookie by its SHA-256 (ST-62)."""

    hash: str
    user_id: str
    purpose: str
    expires_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelUseRow:
    """`steward_model_use`: calls of a model by a person on a day in UTC (ST-38)."""

    user_id: str
    day: date
    calls: int = 0
