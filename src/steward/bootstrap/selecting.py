"""Who chooses among candidates, and who reads replies, as the settings say.

Source: spec/scheduling.md ST-35, ST-52, §16 (`selector.`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from steward.bootstrap.faults import SettingsWrong
from steward.bootstrap.outside import ModelPost
from steward.bootstrap.settings_model import Selector
from steward.ports.model import Model
from steward.ports.replies import ReplyReader
from steward.ports.selector import CandidateSelector
from steward.ports.storage import Storage
from steward.ports.telemetry import Telemetry
from steward.selectors.by_model import ModelSelector
from steward.selectors.chat_completions import ChatCompletions
from steward.selectors.limited import LimitedModel, Limits
from steward.selectors.replies import ModelReplies
from steward.selectors.rule import RuleSelector


@dataclass(frozen=True, slots=True)
class Choosers:
    """Both, within the same limits where they ask a model; without one nobody reads what no title settles."""

    candidates: CandidateSelector
    replies: ReplyReader | None = None


def choosers_of(settings: Selector, storage: Storage, clock: Callable[[], float], telemetry: Telemetry) -> Choosers:
    """By the settings; `clock` counts seconds. Raises SettingsWrong for a model without its server or name."""
    if settings.kind == "rule":
        return Choosers(RuleSelector())
    limits = Limits(
        daily_max=settings.daily_max, concurrency=settings.concurrency, timeout=settings.timeout,
        retries=settings.retries, failures_max=settings.failures_max, open_for=settings.open_for,
    )  # fmt: skip
    made = _model(settings, telemetry)
    model = LimitedModel(model=made, storage=storage, clock=clock, limits=limits, telemetry=telemetry)
    return Choosers(ModelSelector(model), ModelReplies(model))


def _model(settings: Selector, telemetry: Telemetry) -> Model:
    key = None if settings.api_key is None else settings.api_key.get_secret_value()
    if settings.model is None:
        raise SettingsWrong([f"selector.model: is required by selector.kind {settings.kind}"])
    if settings.kind == "chat_completions":
        if settings.base_url is None:
            raise SettingsWrong(["selector.base_url: is required by selector.kind chat_completions"])
        return ChatCompletions(
            base_url=settings.base_url, model=settings.model, http=ModelPost(settings.base_url), api_key=key,
            temperature=settings.temperature, tokens_max=settings.tokens_max, timeout=settings.timeout,
            telemetry=telemetry,
        )  # fmt: skip
    make = import_module("steward.selectors.pydantic_ai").PydanticAi  # of an extra: loaded where it is chosen
    found: Model = make(
        model=settings.model, base_url=settings.base_url, api_key=key, temperature=settings.temperature,
        tokens_max=settings.tokens_max, timeout=settings.timeout, telemetry=telemetry,
    )  # fmt: skip
    return found
