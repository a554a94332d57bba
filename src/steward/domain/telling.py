"""What the person is told where nothing can be offered, and what they are asked, in their language.

Invariant: every issue has its words in every locale; no words here come from a model.
Source: spec/scheduling.md ST-24, ST-39.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from steward.domain.candidate import Candidate
from steward.domain.observation import IssueCode
from steward.domain.profile import Locale
from steward.domain.wording import shown_title

QUESTIONS: Final[Mapping[Locale, str]] = {
    "en": "Which block did you not finish?",
    "zh-CN": "哪一项安排没有完成？",
}
TOLD: Final[Mapping[Locale, Mapping[IssueCode, str]]] = {
    "en": {
        "no_valid_time_window": "{title} cannot be placed: your hours hold no time for it. Change them in the settings",
        "deadline_passed": "The deadline of {title} has passed, and no place for it was found",
        "no_free_slot": "{title} is urgent, and no time is left for it before it is due",
        "capacity_insufficient": "{title} is urgent, and needs more time than is left before it is due",
        "fragmented_capacity": "{title} is urgent, and only short pieces of time are left before it is due",
        "can_add_task_pool_to_schedule": "{title} is urgent, and no place for it was found",
        "need_makeup_block": "{title} was not finished, and no place for the rest was found",
    },
    "zh-CN": {
        "no_valid_time_window": "“{title}”无法安排：你的可用时段内没有时间，请在设置中修改",
        "deadline_passed": "“{title}”已过截止时间，且没有找到可用的空档",
        "no_free_slot": "“{title}”已变得紧急，但截止前没有空闲时间",
        "capacity_insufficient": "“{title}”已变得紧急，但截止前的空闲时间不够",
        "fragmented_capacity": "“{title}”已变得紧急，但截止前只剩零散的空闲时间",
        "can_add_task_pool_to_schedule": "“{title}”已变得紧急，但没有找到可用的空档",
        "need_makeup_block": "“{title}”没有完成，且没有找到补做的空档",
    },
}


def told(candidate: Candidate, code: IssueCode | None, title: str, locale: Locale) -> Candidate:
    """The candidate that changes nothing, saying what is the matter; as it is where the issue has no words of its own."""
    template = None if code is None else TOLD[locale].get(code)
    if template is None:
        return candidate
    return _saying(candidate, template.format(title=shown_title(title)))


def asked(candidate: Candidate, locale: Locale) -> Candidate:
    """The candidate that asks, with its question."""
    return _saying(candidate, QUESTIONS[locale])


def _saying(candidate: Candidate, text: str) -> Candidate:
    return replace(candidate, title=text, summary=text, explanation_text=text, notification_summary=text)
