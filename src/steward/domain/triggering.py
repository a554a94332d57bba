"""What makes two triggers the same, and which requests for one are refused.

Invariant: a refused request stores nothing; two live triggers of a person never have one dedupe key.
Source: spec/scheduling.md ST-18, ST-20.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, get_args

from steward.domain.checks import one_of
from steward.domain.context import TargetType, TriggerSource, TriggerType
from steward.domain.errors import ValidationFailed

DEDUPE_WINDOW: Final = timedelta(minutes=30)
DRY_RUN: Final = "api_dry_run"
TASK_TARGETS: Final = frozenset({"task_pool", "task_item"})
_PART_CHARACTERS_MAX: Final = 64
_MOCKABLE: Final = frozenset({"api_trigger", DRY_RUN})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trigger is asked for, before anything is looked up."""

    trigger_type: str
    source: str
    target_type: str
    target_id: str | None
    mock_now: datetime | None = None
    is_mock_time: bool = False


def check_asked(asked: Asked, *, stored: bool) -> None:
    """Refuse what no trigger can be, whoever asks: ValidationFailed with the field."""
    one_of(asked.trigger_type, "trigger_type", get_args(TriggerType))
    one_of(asked.source, "source", get_args(TriggerSource))
    one_of(asked.target_type, "target_type", get_args(TargetType))
    if stored and asked.source == DRY_RUN:
        raise ValidationFailed("source", "a dry run is never stored")
    if asked.trigger_type == "important_urgent_task":
        if asked.target_id is None:
            raise ValidationFailed("target_id", "an important task that grew urgent has an id")
        one_of(asked.target_type, "target_type", TASK_TARGETS)
    if (asked.mock_now is not None) != asked.is_mock_time:
        raise ValidationFailed("is_mock_time", "true with mock_now, and only with it")
    if asked.mock_now is not None and asked.source not in _MOCKABLE:
        raise ValidationFailed("mock_now", f"only with the source {' or '.join(sorted(_MOCKABLE))}")


def dedupe_key(
    user_id: str, asked: Asked, *, feedback_id: str | None = None, idempotency_key: str | None = None
) -> str:
    """What two triggers for the same thing share; at most 191 characters. Mock time has its own keys."""
    target = f"{asked.target_type}:{asked.target_id or ''}"
    if asked.trigger_type == "unfinished_feedback":
        last = _short(feedback_id or idempotency_key or target)
    else:
        last = f"{asked.target_type}:{_short(asked.target_id or '')}"
    return f"{'mock:' if asked.is_mock_time else ''}{user_id}:{asked.trigger_type}:{last}"


def dedupe_until(asked: Asked, requested_at: datetime, window: timedelta = DEDUPE_WINDOW) -> datetime | None:
    """When the slot is free again: a window that rolls from the request; feedback keeps it without end."""
    if asked.trigger_type == "unfinished_feedback":
        return None
    return (asked.mock_now or requested_at) + window


def _short(part: str) -> str:
    return part if len(part) <= _PART_CHARACTERS_MAX else sha256(part.encode()).hexdigest()
