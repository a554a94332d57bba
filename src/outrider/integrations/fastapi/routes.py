"""A route as a value. Source: spec/notification.md NT-52, X4."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outrider.integrations.fastapi.gate import Endpoint
from outrider.ports.http import Role


@dataclass(frozen=True, slots=True)
class Route:
    """One route: a caller needs one of `roles`. `query` and `headers` (name: required) are for its description."""

    method: str
    path: str
    roles: frozenset[Role]
    endpoint: Endpoint
    status: int = 200
    query: tuple[str, ...] = ()
    headers: Mapping[str, bool] = field(default_factory=dict)
    is_test: bool = False

    def __post_init__(self) -> None:
        if not self.roles or "texts" in self.roles:
            raise ValueError(f"{self.method} {self.path} names no role that opens it")


def roles(*names: Role) -> frozenset[Role]:
    """Who may call."""
    return frozenset(names)
