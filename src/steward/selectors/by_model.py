"""The selector that asks a model, within limits, and falls back on the rule.

Invariant: it never raises for what a model, its network or its limits did; every call is counted before it is made; one
request takes `timeout` at most, waiting for its turn included. Source: spec/scheduling.md ST-35, ST-37, ST-38.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from steward.domain.model_view import model_view
from steward.domain.selection import FallbackReason, ModelAnswer, Selection, fall_back, select_by_answer
from steward.ports.model import InvalidAnswer, Model, ModelFailed, ModelQuestion
from steward.ports.selector import SelectionRequest
from steward.ports.storage import Storage
from steward.selectors.circuit import Circuit
from steward.selectors.spending import spend_call


@dataclass(frozen=True, slots=True)
class Limits:
    """`selector.` of the settings: calls a person and day, calls at once, seconds in all, second tries, and the circuit's."""

    daily_max: int = 50
    concurrency: int = 4
    timeout: timedelta = timedelta(seconds=20)
    retries: int = 1
    failures_max: int = 5
    open_for: timedelta = timedelta(seconds=60)


class ModelSelector:
    """`ports.selector.CandidateSelector` over a model; `model` is None where none is configured."""

    def __init__(
        self, *, model: Model | None, storage: Storage, clock: Callable[[], float], limits: Limits | None = None
    ) -> None:
        self._model, self._storage = model, storage
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(self._limits.concurrency)
        self._circuit = Circuit(clock, self._limits.failures_max, self._limits.open_for)

    async def select(self, request: SelectionRequest) -> Selection:
        """The model's choice with what of its words may be shown, else the rule's, saying why."""
        if self._model is None:
            return fall_back(request.candidates, "not_configured")
        if self._circuit.is_open:
            return fall_back(request.candidates, "circuit_open")
        try:
            question = _question(request)
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return fall_back(request.candidates, "prompt_error")
        try:
            async with asyncio.timeout(self._limits.timeout.total_seconds()), self._turns:
                answer = await self._asked(self._model, question, request.user_id)
        except TimeoutError:
            return self._failed(request, "timeout")
        except ModelFailed as failed:
            return (
                fall_back(request.candidates, "budget") if failed.why == "budget" else self._failed(request, failed.why)
            )
        except InvalidAnswer as invalid:
            return self._failed(request, invalid.why)
        self._circuit.succeeded()
        return select_by_answer(answer, request.candidates, self._model.name, request.context.zone)

    async def _asked(self, model: Model, question: ModelQuestion, user_id: str) -> ModelAnswer:
        """An answer that names a candidate. Raises what the last try did."""
        invalid: InvalidAnswer | None = None
        for _ in range(1 + self._limits.retries):
            if not await spend_call(self._storage, user_id, self._limits.daily_max):
                raise invalid or ModelFailed("budget")
            try:
                answer = await model.ask(question)
                if answer.selected_candidate_id in question.ids:
                    return answer
                raise _outside(question)
            except InvalidAnswer as problem:
                invalid, question = problem, question.again(problem.complaint)
        raise invalid or ModelFailed("empty")

    def _failed(self, request: SelectionRequest, why: FallbackReason) -> Selection:
        self._circuit.failed()
        return fall_back(request.candidates, why)


def _question(request: SelectionRequest) -> ModelQuestion:
    data = model_view(request.context, request.candidates, request.decision)
    return ModelQuestion(data, tuple(candidate.candidate_id for candidate in request.candidates))


def _outside(question: ModelQuestion) -> InvalidAnswer:
    return InvalidAnswer("unknown_candidate", f"selected_candidate_id must be one of {', '.join(question.ids)}")
