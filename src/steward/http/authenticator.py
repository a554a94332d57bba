"""Steward's people for Outrider's notification routes: the same tokens, by Outrider's roles. Source: ST-57, NT-52."""

from collections.abc import Mapping
from typing import Final, Protocol

from outrider import Principal
from steward.domain.errors import StewardError
from steward.http.services import Services

_BEARER: Final = "bearer "


class Incoming(Protocol):
    """As much of a request as is looked at."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case names."""
        ...


class TokenAuthenticator:
    """Says who calls by the bearer token: everybody reaches their own rows, an admin's token sees and decides besides."""

    def __init__(self, steward: Services) -> None:
        self._steward = steward

    async def authenticate(self, request: Incoming) -> Principal | None:
        """The caller, or None. Cookies are not looked at, so that no page can make a browser call."""
        said = request.headers.get("authorization", "")
        if not said.lower().startswith(_BEARER):
            return None
        try:
            identity = await self._steward.tokens.check(said[len(_BEARER) :].strip())
        except StewardError:
            return None
        is_admin = "admin" in identity.scopes
        return Principal(identity.user_id, frozenset({"recipient", "operator"} if is_admin else {"recipient"}))
