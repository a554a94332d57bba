"""A page of a long list. Source: spec/outbox.md OB-79; spec/notification.md §12."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """At most 200 items; `next_cursor` leads on, None at the end. It stays valid while rows come and go."""

    items: list[Item]
    next_cursor: str | None


def page(found: list[Item], limit: int, cursor: Callable[[Item], str]) -> Page[Item]:
    """A page of `limit` of what was found, which is one more where there is another page."""
    items = found[:limit]
    return Page(items, cursor(items[-1]) if len(found) > limit else None)
