"""Who reads a page: their language, their zone, and what their forms carry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from steward.domain.profile import Locale
from steward.domain.wording import date_text, day_text
from steward.web.catalog import message


@dataclass(frozen=True)
class Reader:
    """Who reads, and when. `csrf` is bound to the sign-in or link.

    `new_key` makes a fresh idempotency key for each form. A reader who is not signed in sees no navigation.
    """

    locale: Locale = "zh-CN"
    zone: str = "Asia/Shanghai"
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    name: str = ""
    csrf: str = ""
    new_key: Callable[[], str] = str
    unread: int = 0
    signed_in: bool = True
    may_act: bool = True

    @cached_property
    def tzinfo(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self.zone)

    @property
    def today(self) -> date:
        """The day that it is where they are."""
        return self.now.astimezone(self.tzinfo).date()

    def text(self, name: str, /, **values: object) -> str:
        """A message in their language."""
        return message(self.locale, name, **values)

    def local(self, moment: object) -> datetime:
        """An instant, as text or value, on their wall clock."""
        found = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
        return found.astimezone(self.tzinfo)

    def time(self, moment: object) -> str:
        """`09:40`."""
        return f"{self.local(moment):%H:%M}"

    def day(self, moment: object) -> str:
        """`Mon 23 Nov`, with the year where it is another."""
        if isinstance(moment, date) and not isinstance(moment, datetime):
            moment = datetime(moment.year, moment.month, moment.day, tzinfo=self.tzinfo)
        found = self.local(moment)
        text = day_text(found, self.locale)
        if found.year == self.today.year:
            return text
        return f"{text} {found.year}" if self.locale == "en" else f"{found.year}年{text}"

    def days(self, first: date, last: date) -> str:
        """`23 – 29 Nov`: from one day to another, without weekdays."""
        start, end = date_text(first, self.locale), date_text(last, self.locale)
        if self.locale == "en":
            if first.month == last.month:
                start = str(first.day)
            return f"{start} – {end}" if last.year == self.today.year else f"{start} – {end} {last.year}"
        if first.month == last.month:
            end = f"{last.day}日"
        return f"{start}–{end}" if first.year == self.today.year else f"{first.year}年{start}–{end}"

    def clock(self, moment: object) -> str:
        """`18:00` today, `Mon 23 Nov, 18:00` on another day."""
        return self.time(moment) if self.local(moment).date() == self.today else self.moment(moment)

    def moment(self, moment: object) -> str:
        """`Mon 23 Nov, 18:00`."""
        return self.text("time.moment", day=self.day(moment), time=self.time(moment))

    def span(self, start: object, end: object) -> str:
        """`10:30–12:00`, with the day of the end where that is another."""
        first, last = self.local(start), self.local(end)
        if first.date() == last.date() or (last.hour == last.minute == 0 and (last - first).days == 0):
            return f"{first:%H:%M}–{last:%H:%M}"
        return f"{first:%H:%M}–{self.moment(last)}"

    def when(self, start: object, end: object) -> str:
        """`Mon 23 Nov 10:30–12:00`."""
        return f"{self.day(start)} {self.span(start, end)}"

    def length(self, place: Mapping[str, object]) -> int:
        """Minutes from `start` to `end`."""
        return int((self.local(place["end"]) - self.local(place["start"])).total_seconds()) // 60

    def minutes(self, count: int) -> str:
        """`90 min`, `2 h`, `2 h 30 min`; below two hours in minutes."""
        hours, rest = divmod(int(count), 60)
        if hours < 2:  # noqa: PLR2004  90 min is how people say it
            return self.text("time.minutes", minutes=int(count))
        if rest:
            return self.text("time.hours_minutes", hours=hours, minutes=rest)
        return self.text("time.hours", hours=hours)

    def field(self, moment: object) -> str:
        """As a form's field for a local time has it: `2026-11-23T18:00`."""
        return "" if moment is None else f"{self.local(moment):%Y-%m-%dT%H:%M}"
