"""Outrider's in-app list, asked by its public notifier, with its refusals as Steward's own. Source: ST-58; NT-53."""

from collections.abc import Awaitable
from typing import Any, TypeVar
from uuid import UUID

from steward.domain.errors import NotFound, StewardError
from steward.http.services import Services
from steward.ports.storage import Unavailable
from steward.service.problems import InvalidRequest

T = TypeVar("T")


class PersonInbox:
    """One person's list."""

    def __init__(self, steward: Services, user_id: str) -> None:
        self._user_id = user_id
        self._inbox: Any = steward.notifier.operations(user_id).inbox

    async def unread(self) -> int:
        """How many are unread."""
        return int(await _asked(self._inbox.count(self._user_id), InvalidRequest("the inbox")))

    async def page(self, cursor: str | None, limit: int) -> Any:  # noqa: ANN401  a page of Outrider's
        """Items, newest first. Raises InvalidRequest for a cursor that no page gave."""
        return await _asked(self._inbox.search(self._user_id, cursor=cursor, limit=limit), InvalidRequest("cursor"))

    async def read(self, item_id: str) -> None:
        """Mark one read. Raises NotFound."""
        missing = NotFound("item", item_id)
        try:
            wanted = UUID(item_id)
        except ValueError:
            raise missing from None
        await _asked(self._inbox.read(self._user_id, wanted), missing)

    async def read_all(self) -> None:
        """Mark all read."""
        await _asked(self._inbox.read_all(self._user_id), InvalidRequest("the inbox"))


async def _asked(work: Awaitable[T], refusal: StewardError) -> T:
    """What Outrider answers; its errors, which have a code and say whether to try again, become ours."""
    try:
        return await work
    except Exception as error:
        if getattr(error, "retryable", False):
            raise Unavailable(str(error)) from error
        if hasattr(error, "code"):
            raise refusal from error
        raise
