"""Whether words from outside may be shown: no links, no mentions, nothing hidden, no clock time that the candidate lacks.

Invariant: what is doubtful is refused, and the template's text stands in its place; so a model, or a title that spoke to it,
can neither send a person somewhere nor name a time that nobody checked. Source: spec/scheduling.md ST-37, hazards X8.
"""

import re
from collections.abc import Iterable
from datetime import tzinfo
from typing import Final
from unicodedata import category, normalize

from steward.domain.candidate import Candidate
from steward.domain.span import Span
from steward.domain.zones import local_time

EXPLANATION_CHARACTERS_MAX: Final = 600
SUMMARY_CHARACTERS_MAX: Final = 180
QUESTION_CHARACTERS_MAX: Final = 200

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_DOTS: Final = str.maketrans({"。": ".", "．": ".", "｡": ".", "․": ".", "：": ":", "∶": ":", "꞉": ":"})
_LINK: Final = re.compile(
    r"[a-z][a-z0-9+.-]*:/|www\.|\]\(|<\s*/?\s*[a-z!]|mailto:|tel:|javascript:|data:", re.IGNORECASE
)
_DOMAIN: Final = re.compile(r"([^\W_][\w-]*)\.(?:[a-z]{2,24}|xn--[a-z0-9-]{2,24})(?![a-z])", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]{3,}\]", re.IGNORECASE)
_DIGITAL: Final = re.compile(r"(?<!\d)(\d{1,2})\s?[:.h]\s?(\d{2})(?!\d)\s?([ap]\.?m)?", re.IGNORECASE)
_ENGLISH: Final = re.compile(
    r"(?<![\d:.])(\d{1,2})\s?([ap])\.?\s?m\b|(?<![\d:.])(\d{1,2})\s?o['’]?\s?clock", re.IGNORECASE
)
_CHINESE: Final = re.compile(r"(?<!\d)(\d{1,2})\s?[点點时時](?!间|間|长|長|刻|候)\s?(半|一刻|三刻|\d{1,2})?")
_IN_WORDS: Final = re.compile(
    r"\b(?:noon|midnight|midday)\b|正午|午夜|[一二两三四五六七八九十零〇]{1,3}[点點](?:钟|鐘|半|整|[一二三四五])",
    re.IGNORECASE,
)
_HALVES: Final = {"半": 30, "一刻": 15, "三刻": 45}
_NOON: Final = 12
_HOURS: Final = 24


def is_safe(text: str, candidate: Candidate, zone: tzinfo, greatest: int) -> bool:
    """Whether the text may be shown beside this candidate, at most `greatest` characters long."""
    if len(text) > greatest or any(category(character) in _HIDDEN for character in text):
        return False
    plain = normalize("NFKC", text.translate(_DOTS)).translate(_DOTS)
    if "@" in plain or _LINK.search(plain) or _ADDRESS.search(plain) or _names_domain(plain):
        return False
    return times_in(plain) <= clock_times(candidate, zone) and not _IN_WORDS.search(plain)


def clock_times(candidate: Candidate, zone: tzinfo) -> frozenset[tuple[int, int]]:
    """(hour, minute) of every start and end that the candidate shows; each hour after noon in both ways of counting."""
    places: Iterable[Span] = [
        *(entry.place for entry in (*candidate.before, *candidate.after)),
        *(place for change in candidate.changes for place in (change.before, change.after) if place is not None),
    ]
    shown = [local_time(zone, second) for place in places for second in place]
    return frozenset((hour, one.minute) for one in shown for hour in (one.hour, one.hour % _NOON or _NOON))


def times_in(text: str) -> set[tuple[int, int]]:
    """The clock times that the text names, those with `pm` as the hour of the day."""
    found = set()
    for hour, minute, half in _DIGITAL.findall(text):
        if int(minute) < 60 and int(hour) <= _HOURS:  # noqa: PLR2004  a clock's
            found.add((_hour(int(hour), half), int(minute)))
    for hour, half, clock in _ENGLISH.findall(text):
        found.add((_hour(int(hour or clock), half), 0))
    for hour, part in _CHINESE.findall(text):
        found.add((int(hour), _HALVES.get(part) or int(part or 0)))
    return found


def _names_domain(text: str) -> bool:
    """Whether something in it reads as a name of a host, with the dot in whatever form; `7.Then` does not."""
    return any(not label.isdigit() for label in _DOMAIN.findall(text))


def _hour(hour: int, half: str) -> int:
    if half[:1].lower() == "p" and hour < _NOON:
        return hour + _NOON
    return 0 if half[:1].lower() == "a" and hour == _NOON else hour
