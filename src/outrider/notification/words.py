"""The words of a notification: which text is shown, in which locale, under which envelope.

Invariant: what leaves here is sanitised, opens with the envelope, and is never empty. Source: spec/notification.md NT-34 to
NT-38, NT-40.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from outrider.core.errors import InvariantViolated
from outrider.core.notification.request import Scalar
from outrider.notification.digest import lines
from outrider.notification.graphemes import cut
from outrider.notification.template import Templates
from outrider.notification.text import enveloped, safe

TITLE_MAX: Final = 120
VALUE_MAX: Final = 500
LINE_MAX: Final = 200


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

    def digest(self, kind: str, summaries: Sequence[str]) -> Words:
        """The words of a digest: its title, and a line for each member, oldest first, as far as `digest.lines` goes.

        `summaries` are what members say, empty where one says nothing of its own.
        """
        neutral = self._fixed(kind, "neutral", {})
        members = [
            self._fixed(kind, "digest_line", {"summary": cut(_one_line(safe(said)), LINE_MAX) or neutral})
            for said in summaries
        ]
        shown = lines(members, next(self.templates.find(self.locale, kind, "digest_more")))
        title = self._fixed(kind, "digest_title", {"count": str(len(members))})
        return Words(
            enveloped(self.envelope, title),
            enveloped(self.envelope, "\n".join((title, *shown))),
            enveloped(self.envelope, neutral),
            self._fixed(kind, "action", {}),
            shown,
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
