"""A page or a form as a value. Source: spec/scheduling.md ST-58, ST-61, ST-62.

Invariant: `who` is said for each: `anyone` for what shows nothing of a person, `signed_in`, or `link` for a link's own pages.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.responses import Response

Who = Literal["anyone", "signed_in", "link"]
PageEndpoint = Callable[[Any], Awaitable[Response]]
"""What runs for a `PageCall` that was let in."""


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One page (GET) or form (POST)."""

    method: Literal["GET", "POST"]
    path: str
    who: Who
    endpoint: PageEndpoint
    form_max: int | None = None
    """Bytes of a form, where they are others than usual."""
