"""A route as a value. Source: spec/notification.md NT-52, NT-55, X4."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outrider.integrations.fastapi.bodies import Schema
from outrider.integrations.fastapi.gate import Endpoint
from outrider.ports.http import Role


@dataclass(frozen=True, slots=True)
class Route:
    """One route: a caller needs one of `roles`.

    The rest is for its description: `answer` and `body` as JSON Schema, `query`, `headers` (name: required), `codes` of
    refusals that are its own, whether the answer is `tagged` with a version, and the media type that it `gives`.
    """

    method: str
    path: str
    roles: frozenset[Role]
    endpoint: Endpoint
    answer: Schema
    body: Schema | None = None
    status: int = 200
    query: tuple[str, ...] = ()
    headers: Mapping[str, bool] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    tagged: bool = False
    gives: str = "application/json"
    is_test: bool = False

    def __post_init__(self) -> None:
        if not self.roles or "texts" in self.roles:
            raise ValueError(f"{self.method} {self.path} names no role that opens it")


def roles(*names: Role) -> frozenset[Role]:
    """Who may call."""
    return frozenset(names)
