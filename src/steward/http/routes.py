"""A route as a value. Source: spec/scheduling.md §12, ST-54, ST-55, ST-57.

Invariant: a route without a scope cannot be made; the codes it declares are those that it answers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from steward.http.answers import Schema
from steward.service.answer import SCOPES
from steward.service.codes import CODES

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
COMMON: Final = (
    "invalid_request", "unauthenticated", "forbidden", "not_found", "method_not_allowed", "payload_too_large",
    "unsupported_media_type", "validation_failed", "rate_limited", "internal_error", "unavailable",
)  # fmt: skip
OF_A_KEY: Final = ("idempotency_in_progress", "idempotency_mismatch", "idempotency_key_required")
OF_IF_MATCH: Final = ("version_mismatch", "precondition_required")

Endpoint = Callable[[Any], Awaitable[object]]
"""What runs for a `Call` that was let in."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route: a caller needs `scope`. `answer` is what it gives, in media type `gives`, `tagged` with its version or not;
    `model` is its body, in media type `takes`.

    `keyed` says whether it needs an Idempotency-Key, `conditional` whether an If-Match; `codes` are refusals of its own.
    """

    method: str
    path: str
    scope: str
    endpoint: Endpoint
    answer: Schema
    model: type[BaseModel] | None = None
    query: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    keyed: bool = False
    conditional: bool = False
    status: int = 200
    tagged: bool = False
    takes: str = "application/json"
    gives: str = "application/json"

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(f"{self.method} {self.path} names no scope that opens it")
        if unknown := set(self.codes) - set(CODES):
            raise ValueError(f"{self.method} {self.path} declares unknown codes: {sorted(unknown)}")

    @property
    def all_codes(self) -> tuple[str, ...]:
        """Every code that it may answer."""
        return (
            *COMMON,
            *(OF_A_KEY if self.keyed else ()),
            *(OF_IF_MATCH if self.conditional else ()),
            *self.codes,
        )
