"""What the relay must know of a type: whether it knows it at all, and what its dead messages do to their key."""

from collections.abc import Mapping
from typing import Protocol

from outrider.core.routing import OnDead


class RouteRules(Protocol):
    """The part of a route that the relay reads; `core.routing.Route` is one."""

    @property
    def on_dead(self) -> OnDead:
        """Whether a dead message lets its key go on, or holds it until a person decides (OB-27)."""
        ...


Routes = Mapping[str, RouteRules]
"""By type. May change while the relay runs: types are only ever added (OB-97)."""
