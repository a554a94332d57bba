"""The words of a notification: which text is shown, in which locale, under which envelope.

Invariant: what leaves here is sanitised, opens with the envelope, and is never empty. Source: spec/notification.md NT-34 to
NT-38, NT-40.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from outrider.core.errors import InvariantViolated
from outrider.notification.graphemes import cut
from outrider.notification.template import Templates
from outrider.notification.text import enveloped, safe

TITLE_MAX: Final = 120
VALUE_MAX: Final = 500
LINE_MAX: Final = 200
DIGEST_LINES_MAX: Final = 50

Scalar = str | int | float | bool | None


class Words(NamedTuple):
    """What `Content` takes over. `neutral` holds nothing that a person or a model wrote."""

    title: str
    text: str
    neutral: str
    action_text: str
    lines: tuple[str, ...] = ()


class Wording(NamedTuple):
    """Where words come from: templates, the locale that was chosen, the channel's envelope."""

    templates: Templates
    locale: str
    envelope: str = ""

    def words(
        self,
        kind: str,
        *,
        title: str | None = None,
        summary: str | None = None,
        fallback: str | None = None,
        data: Mapping[str, Scalar] | None = None,
        link: str | None = None,
    ) -> Words:
        """The words of one record. `summary` is the stored one (`text.summary`), `link` the absolute action URL.

        The text is the first of summary, fallback, the kind's `text` and its neutral that has something to show.
        """
        values = _values(data or {})
        neutral = self._fixed(kind, "neutral", {})
        text = safe(summary or "", link) or safe(fallback or "", link)
        text = text or self.templates.fill(self.locale, kind, "text", values) or neutral
        return Words(
            enveloped(self.envelope, _title(title) or self._fixed(kind, "title", values)),
            enveloped(self.envelope, text),
            enveloped(self.envelope, neutral),
            self._fixed(kind, "action", values),
        )

    def digest(self, kind: str, summaries: Sequence[str], more: int = 0) -> Words:
        """The words of a digest: a line a member, oldest first, at most 50, and how many there are besides.

        `summaries` are members' summaries, empty where one has none; `more` counts members that were not even read.
        """
        shown, count = summaries[:DIGEST_LINES_MAX], len(summaries) + more
        neutral = self._fixed(kind, "neutral", {})
        lines = tuple(
            self._fixed(kind, "digest_line", {"summary": cut(_one_line(safe(line)), LINE_MAX) or neutral})
            for line in shown
        )
        rest = count - len(shown)
        last = (self._fixed(kind, "digest_more", {"count": str(rest)}),) if rest else ()
        title = self._fixed(kind, "digest_title", {"count": str(count)})
        text = "\n".join((title, *lines, *last))
        return Words(
            enveloped(self.envelope, title),
            enveloped(self.envelope, text),
            enveloped(self.envelope, neutral),
            self._fixed(kind, "action", {}),
            (*lines, *last),
        )

    def _fixed(self, kind: str, key: str, values: Mapping[str, str]) -> str:
        """A template that `[default]` has for certain, with no placeholder but those that are always given."""
        found = self.templates.fill(self.locale, kind, key, values)
        if found is None:
            raise InvariantViolated(f"[default] cannot say {key}")
        return found


def _values(data: Mapping[str, Scalar]) -> dict[str, str]:
    """The placeholders that an application's data gives: sanitised, on one line, what is null absent."""
    return {name: cut(_one_line(safe(_written(value))), VALUE_MAX) for name, value in data.items() if value is not None}


def _written(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _title(title: str | None) -> str:
    return cut(_one_line(safe(title or "")), TITLE_MAX).strip()


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))
