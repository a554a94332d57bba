"""The words of candidates, one template per method and locale, in the person's zone.

Invariant: a day is written as a date, never as "today", since it may be read tomorrow; no words here come from a model. Every
template exists in every locale. Source: spec/scheduling.md ST-33.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from steward.domain.cost import Draft, Method
from steward.domain.profile import Locale
from steward.domain.span import Span
from steward.domain.zones import local_time

TITLE_SHOWN_MAX: Final = 40
_WEEKDAYS: Final[Mapping[Locale, str]] = {
    "en": "Mon Tue Wed Thu Fri Sat Sun",
    "zh-CN": "周一 周二 周三 周四 周五 周六 周日",
}
_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

NOTIFICATIONS: Final[Mapping[Locale, Mapping[Method, str]]] = {
    "en": {
        "free_slot": "{title} fits {when}",
        "move_one": "{title} fits {when} if {moves}",
        "move_many": "{title} fits {when} if {moves}",
        "split": "{title} fits in parts: {when}",
        "shorten": "Only {minutes} of {wanted} min of {title} fit: {when}",
        "late": "{title} fits only after its deadline: {when}",
        "compress": "{title} gets {minutes} of {wanted} min, {when}, if {moves}",
        "none": "{title}: leave the calendar as it is",
    },
    "zh-CN": {
        "free_slot": "“{title}”可安排在{when}",
        "move_one": "“{title}”可安排在{when}，需要{moves}",
        "move_many": "“{title}”可安排在{when}，需要{moves}",
        "split": "“{title}”可分段安排：{when}",
        "shorten": "“{title}”只放得下 {wanted} 分钟中的 {minutes} 分钟：{when}",
        "late": "“{title}”只能安排在截止时间之后：{when}",
        "compress": "“{title}”得到 {wanted} 分钟中的 {minutes} 分钟，{when}，需要{moves}",
        "none": "“{title}”：保持日程不变",
    },
}
EXPLANATIONS: Final[Mapping[Locale, Mapping[Method, str]]] = {
    "en": {
        "free_slot": "{notification}. Nothing else changes.",
        "move_one": "{notification}. No place is free in time without moving something.",
        "move_many": "{notification}. No place is free in time, and moving one block is not enough.",
        "split": "{notification}. No single place in time is long enough.",
        "shorten": "{notification}. The rest stays unplaced.",
        "late": "{notification}. It ends {late} min late.",
        "compress": "{notification}. The block keeps its second half.",
        "none": "{notification}.",
    },
    "zh-CN": {
        "free_slot": "{notification}。其他日程不变。",
        "move_one": "{notification}。不移动其他安排就没有及时的空档。",
        "move_many": "{notification}。没有及时的空档，只移动一项也不够。",
        "split": "{notification}。没有足够长的完整空档。",
        "shorten": "{notification}。其余部分暂不安排。",
        "late": "{notification}。将晚 {late} 分钟完成。",
        "compress": "{notification}。原有安排保留后半段。",
        "none": "{notification}。",
    },
}
_MOVE: Final[Mapping[Locale, tuple[str, str, str]]] = {
    "en": ("{moved} moves to {to}", "{moved} shrinks to {to}", " and "),
    "zh-CN": ("将“{moved}”移到{to}", "将“{moved}”缩短为{to}", "，"),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What the templates speak of: the target, the minutes wanted, titles by event id, and where and how it is read."""

    title: str
    wanted_minutes: int
    titles: Mapping[str, str]
    zone: tzinfo
    locale: Locale


def notification_summary(draft: Draft | None, words: Words) -> str:
    """One line for a phone."""
    method: Method = "none" if draft is None else draft.method
    template = NOTIFICATIONS[words.locale][method]
    title = shown_title(words.title)
    if draft is None:
        return template.format(title=title)
    minutes = sum(part.minutes for part in draft.parts)
    when, moves = _parts(draft.parts, words), _moves(draft, words)
    return template.format(title=title, when=when, moves=moves, minutes=minutes, wanted=words.wanted_minutes)


def explanation(draft: Draft | None, words: Words) -> str:
    """The line with its reason, for the page."""
    method: Method = "none" if draft is None else draft.method
    late = 0 if draft is None else draft.late_minutes
    return EXPLANATIONS[words.locale][method].format(notification=notification_summary(draft, words), late=late)


def day_text(moment: datetime, locale: Locale) -> str:
    """`Mon 23 Nov`, `11月23日 周一`."""
    weekday = _WEEKDAYS[locale].split()[moment.weekday()]
    return f"{weekday} {date_text(moment, locale)}" if locale == "en" else f"{date_text(moment, locale)} {weekday}"


def date_text(day: date, locale: Locale) -> str:
    """`23 Nov`, `11月23日`."""
    return f"{day.day} {_MONTHS[day.month - 1]}" if locale == "en" else f"{day.month}月{day.day}日"


def span_text(place: Span, zone: tzinfo, locale: Locale, *, after: Span | None = None) -> str:
    """`Mon 23 Nov 10:30-12:00`; without the day where it is that of `after`'s start."""
    start, end = local_time(zone, place.start), local_time(zone, place.end)
    times = f"{start:%H:%M}-{end:%H:%M}"
    if after is not None and local_time(zone, after.start).date() == start.date():
        return times
    return f"{day_text(start, locale)} {times}"


def shown_title(title: str) -> str:
    """A title as it stands in a sentence: no control characters, not too long."""
    clean = " ".join("".join(character if character.isprintable() else " " for character in title).split())
    return clean if len(clean) <= TITLE_SHOWN_MAX else clean[: TITLE_SHOWN_MAX - 1] + "…"


def _parts(parts: Sequence[Span], words: Words) -> str:
    texts = [
        span_text(part, words.zone, words.locale, after=parts[number - 1] if number else None)
        for number, part in enumerate(parts)
    ]
    return ("、" if words.locale == "zh-CN" else ", ").join(texts)


def _moves(draft: Draft, words: Words) -> str:
    moved, resized, joint = _MOVE[words.locale]
    texts = []
    for shift in draft.shifts:
        to = local_time(words.zone, shift.after.start)
        text = f"{to:%H:%M}"
        if to.date() != local_time(words.zone, draft.parts[0].start).date():
            text = f"{day_text(to, words.locale)} {text}"
        if draft.method == "compress":
            text = span_text(shift.after, words.zone, words.locale, after=draft.parts[0])
        template = resized if draft.method == "compress" else moved
        texts.append(template.format(moved=shown_title(words.titles.get(shift.event_id, shift.event_id)), to=text))
    return joint.join(texts)
