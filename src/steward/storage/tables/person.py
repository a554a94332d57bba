"""A person, how they sign in, and what they may spend."""

from typing import Final

from steward.storage.columns import day, instant, json, key, table, whole, words

USER: Final = table(
    "steward_user",
    key("user_id"),
    words("name", 255),
    key("role", 16, default="user", among=("user", "admin")),
    key("locale", 16, default="zh-CN"),
    key("zone", 64, default="Asia/Shanghai"),
    json("grid_json", null=True),
    json("settings_json", null=True),
    whole("profile_version", default=1),
    primary=("user_id",),
)

TOKEN: Final = table(
    "steward_token",
    key("hash"),
    key("user_id"),
    words("name", 64),
    key("scopes", 191),
    instant("expires_at", null=True),
    instant("revoked_at", null=True),
    instant("last_used_at", null=True),
    primary=("hash",),
    index=(("user_id", "created_at"),),
)

LINK: Final = table(
    "steward_link",
    key("hash"),
    key("user_id"),
    key("purpose", 16, among=("view", "act", "calendar", "sign_in")),
    key("key_id", 16),
    key("preview_id", null=True),
    key("base_version", 128, null=True),
    instant("expires_at", null=True),
    instant("used_at", null=True),
    instant("revoked_at", null=True),
    instant("last_used_at", null=True),
    primary=("hash",),
    index=(("preview_id",), ("user_id", "created_at")),
)

SIGN_IN: Final = table(
    "steward_sign_in",
    key("hash"),
    key("user_id"),
    key("purpose", 16, among=("view", "act")),
    instant("expires_at"),
    instant("revoked_at", null=True),
    instant("last_used_at", null=True),
    primary=("hash",),
    index=(("user_id", "created_at"),),
)

MODEL_USE: Final = table(
    "steward_model_use",
    key("user_id"),
    day("day"),
    whole("calls", default=0),
    primary=("user_id", "day"),
)
