"""A counter of calls in memory, and models that answer as they were told to."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from steward.domain.selection import ModelAnswer
from steward.ports.model import ModelQuestion
from steward.ports.rows.person import ModelUseRow
from steward.ports.selector import SelectionRequest
from steward.ports.storage import Is, Storage, Taken
from steward.selectors.by_model import ModelSelector
from steward.selectors.limited import LimitedModel, Limits
from tests.unit.steward.days import DEMO, context, outcome

CONTEXT = context(DEMO)
CANDIDATES = outcome(CONTEXT)[1].candidates
REQUEST = SelectionRequest("usr_1", CONTEXT, CANDIDATES, outcome(CONTEXT)[2])


class UseTable:
    """`steward_model_use` alone, one transaction at a time."""

    def __init__(self, calls: int = 0) -> None:
        self.now = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
        self.rows: dict[tuple[str, Any], int] = {("usr_1", self.now.date()): calls} if calls else {}

    async def write(self, work: Callable[[Any], Awaitable[Any]]) -> Any:  # noqa: ANN401
        return await work(self)

    async def one(self, kind: type[ModelUseRow], where: Mapping[str, Any]) -> ModelUseRow | None:
        key = (where["user_id"], where["day"])
        return kind(*key, calls=self.rows[key]) if key in self.rows else None

    async def change(self, kind: type[ModelUseRow], where: Mapping[str, Any], values: Mapping[str, Any]) -> int:
        key, most = (where["user_id"], where["day"]), cast("Is", where["calls"]).value
        assert (kind, list(values)) == (ModelUseRow, ["calls"])
        if self.rows.get(key, cast("int", most)) >= cast("int", most):
            return 0
        self.rows[key] += 1
        return 1

    async def insert(self, row: ModelUseRow) -> None:
        if (row.user_id, row.day) in self.rows:
            raise Taken(("user_id", "day"))
        self.rows[row.user_id, row.day] = row.calls

    async def savepoint(self, work: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        return await work()

    @property
    def calls(self) -> int:
        return sum(self.rows.values())


class Told:
    """A model that gives these answers in turn, the last one for ever; exceptions are raised."""

    name = "small"

    def __init__(self, *answers: ModelAnswer | Exception) -> None:
        self._answers: Sequence[ModelAnswer | Exception] = answers
        self.asked: list[ModelQuestion] = []

    async def ask(self, question: ModelQuestion) -> ModelAnswer:
        self.asked.append(question)
        answer = self._answers[min(len(self.asked), len(self._answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def chosen(number: int = 1, **fields: str) -> ModelAnswer:
    return ModelAnswer(CANDIDATES[number].candidate_id, "select_candidate", **fields)


def limited(
    model: Any,  # noqa: ANN401  a model or none
    table: UseTable | None = None,
    clock: Clock | None = None,
    **limits: Any,  # noqa: ANN401  any limit
) -> LimitedModel:
    storage = cast("Storage", table or UseTable())
    said = Limits(**{"timeout": timedelta(seconds=10)} | limits)
    return LimitedModel(model=model, storage=storage, clock=clock or Clock(), limits=said)


def selector(
    model: Any,  # noqa: ANN401  a model or none
    table: UseTable | None = None,
    clock: Clock | None = None,
    **limits: Any,  # noqa: ANN401  any limit
) -> ModelSelector:
    return ModelSelector(limited(model, table, clock, **limits))
