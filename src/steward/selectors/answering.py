"""What a model wrote, as an answer: plain JSON, fenced, or with words around it.

Invariant: the result holds text alone; what cannot be read says so, it never raises anything else. Source: ST-37.
"""

import json
import re
from dataclasses import fields
from typing import Any, Final

from steward.domain.selection import ModelAnswer
from steward.ports.model import InvalidAnswer

TEXT_CHARACTERS_MAX: Final = 64_000
FIELDS: Final = tuple(field.name for field in fields(ModelAnswer))
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_DECODER: Final = json.JSONDecoder()


def answer_of(text: str) -> ModelAnswer:
    """The answer in this text. Raises InvalidAnswer."""
    text = _THOUGHT.sub("", text[:TEXT_CHARACTERS_MAX]).strip()
    if not text:
        raise InvalidAnswer("empty", "it was empty")
    return answer_from(_object_in(text))


def answer_from(value: dict[str, Any]) -> ModelAnswer:
    """The answer of these fields; further ones are ignored, null is nothing. Raises InvalidAnswer."""
    given = {name: value[name] for name in FIELDS if value.get(name) is not None}
    wrong = [name for name, one in given.items() if not isinstance(one, str)]
    if wrong:
        raise InvalidAnswer("unreadable", f"{wrong[0]} must be text")
    if not given.get("selected_candidate_id", "").strip():
        raise InvalidAnswer("unreadable", "selected_candidate_id is missing")
    return ModelAnswer(**{**given, "selected_candidate_id": given["selected_candidate_id"].strip()})


def _object_in(text: str) -> dict[str, Any]:
    """The first JSON object that has one of our fields."""
    start = text.find("{")
    while start >= 0:
        try:
            value, _ = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and "selected_candidate_id" in value:
            return value
        start = text.find("{", start + 1)
    raise InvalidAnswer("unreadable", "it holds no JSON object with selected_candidate_id")
