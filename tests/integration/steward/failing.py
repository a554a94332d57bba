"""A storage that fails where a test wants it to."""

from collections.abc import Awaitable, Callable
from typing import Any

from steward.ports.storage import T, Unavailable, Where, Writing
from steward.storage.storage import AlchemyStorage


class Failing:
    """A storage whose transactions under a lock fail when they read or write one kind of row."""

    def __init__(self, storage: AlchemyStorage, kind: type[Any], method: str) -> None:
        self._storage, self._kind, self._method = storage, kind, method

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the storage's
        return getattr(self._storage, name)

    async def change(self, user_id: str, work: Callable[[Any], Awaitable[T]]) -> T:
        async def failing(tx: Writing) -> T:
            return await work(FailingWriting(tx, self._kind, self._method))

        return await self._storage.change(user_id, failing)


class FailingWriting:
    def __init__(self, tx: Writing, kind: type[Any], method: str) -> None:
        self._tx, self._kind, self._method = tx, kind, method

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the transaction's
        inner = getattr(self._tx, name)
        if name != self._method:
            return inner

        async def called(kind: Any, where: Where | None = None, **more: Any) -> Any:  # noqa: ANN401  as it was
            one = kind[0] if isinstance(kind, list) else kind
            if one is self._kind or isinstance(one, self._kind):
                raise Unavailable("the disk is gone")
            return await inner(kind, *(() if where is None else (where,)), **more)

        return called
