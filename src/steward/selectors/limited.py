"""A model within limits: what every question to it has in common.

Invariant: an answer names one of the question's ids; every call is counted before it is made; one question takes `timeout` at
most, waiting for its turn included. Source: spec/scheduling.md ST-37, ST-38.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from steward.domain.facts import ModelAsked
from steward.domain.selection import ModelAnswer
from steward.ports.model import InvalidAnswer, Model, ModelFailed, ModelQuestion
from steward.ports.storage import Storage
from steward.ports.telemetry import UNHEARD, Telemetry
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


class LimitedModel:
    """One for a process, whatever it is asked; `model` is None where none is configured."""

    def __init__(
        self,
        *,
        model: Model | None,
        storage: Storage,
        clock: Callable[[], float],
        limits: Limits | None = None,
        telemetry: Telemetry = UNHEARD,
    ) -> None:
        self._model, self._storage, self._telemetry = model, storage, telemetry
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(self._limits.concurrency)
        self._circuit = Circuit(clock, self._limits.failures_max, self._limits.open_for)

    @property
    def name(self) -> str:
        """The model's."""
        return "" if self._model is None else self._model.name

    async def ask(self, user_id: str, make: Callable[[], ModelQuestion]) -> ModelAnswer:
        """The answer to the question that `make` makes. Raises ModelFailed alone."""
        if self._model is None:
            raise ModelFailed("not_configured")
        if self._circuit.is_open:
            raise ModelFailed("circuit_open")
        try:
            question = make()
        except (ArithmeticError, LookupError, TypeError, ValueError):
            raise ModelFailed("prompt_error") from None
        try:
            async with asyncio.timeout(self._limits.timeout.total_seconds()), self._turns:
                answer = await self._answered(self._model, question, user_id)
        except TimeoutError:
            self._circuit.failed()
            raise ModelFailed("timeout") from None
        except ModelFailed as failed:
            if failed.why != "budget":
                self._circuit.failed()
            raise
        except InvalidAnswer as invalid:
            self._circuit.failed()
            raise ModelFailed(invalid.why) from None
        self._circuit.succeeded()
        return answer

    async def _answered(self, model: Model, question: ModelQuestion, user_id: str) -> ModelAnswer:
        """An answer that names an id of the question. Raises what the last try did."""
        invalid: InvalidAnswer | None = None
        for _ in range(1 + self._limits.retries):
            if not await spend_call(self._storage, user_id, self._limits.daily_max):
                raise invalid or ModelFailed("budget")
            try:
                answer = await self._timed(model, question)
                if answer.selected_candidate_id in question.ids:
                    return answer
                raise _outside(question)
            except InvalidAnswer as problem:
                invalid, question = problem, question.again(problem.complaint)
        raise invalid or ModelFailed("empty")

    async def _timed(self, model: Model, question: ModelQuestion) -> ModelAnswer:
        started = self._telemetry.seconds()
        try:
            return await model.ask(question)
        finally:
            self._telemetry.tell(ModelAsked(self._telemetry.seconds() - started))


def _outside(question: ModelQuestion) -> InvalidAnswer:
    return InvalidAnswer("unknown_candidate", f"selected_candidate_id must be one of {', '.join(question.ids)}")
