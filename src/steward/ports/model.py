"""Language models, asked to choose one of a list.

Invariant: what a model sees is data without people, places, costs or links (ST-36), and what it says is only ever a claim:
whoever asks checks it. Source: spec/scheduling.md ST-35, ST-36, ST-37, ST-38, ST-52.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from steward.domain.selection import FallbackReason, ModelAnswer

About = Literal["candidates", "reply"]


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """The data to choose from, and the ids that may be named; `about`: which candidate suits, or which block a reply means.

    `complaint`: what was wrong with the answer before.
    """

    data: Mapping[str, Any]
    ids: tuple[str, ...]
    about: About = "candidates"
    complaint: str = ""

    def again(self, complaint: str) -> "ModelQuestion":
        """The same, with what was wrong."""
        return replace(self, complaint=complaint)


class ModelFailed(Exception):
    """No answer, for a reason of ST-35: it is not asked again."""

    def __init__(self, why: FallbackReason) -> None:
        super().__init__(why)
        self.why: FallbackReason = why


class InvalidAnswer(Exception):
    """An answer that cannot be used; `complaint` tells the model what was wrong with it."""

    def __init__(self, why: Literal["unreadable", "empty", "unknown_candidate"], complaint: str) -> None:
        super().__init__(why, complaint)
        self.why: Literal["unreadable", "empty", "unknown_candidate"] = why
        self.complaint = complaint


class Model(Protocol):
    """One model of one server."""

    @property
    def name(self) -> str:
        """What it is called in `model:NAME`."""
        ...

    async def ask(self, question: ModelQuestion) -> ModelAnswer:
        """Ask once; the caller bounds the time by cancelling. Raises ModelFailed, InvalidAnswer."""
        ...


@dataclass(frozen=True, slots=True)
class PostAnswer:
    """What a server said, of any status."""

    status: int
    body: bytes


class PostFailed(Exception):
    """No answer came; `timeout`: because time ran out."""

    def __init__(self, *, timeout: bool) -> None:
        super().__init__("no answer in time" if timeout else "no answer")
        self.timeout = timeout


class JsonPost(Protocol):
    """The way to a model's server, which whoever deploys has named."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> PostAnswer:
        """Post JSON and read the answer; follows no redirect. Raises PostFailed."""
        ...
