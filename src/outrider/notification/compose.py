"""From a request to what is kept of it, and from a record to the content that its channel renders.

Invariant: what is kept is storable and judged; what is composed is safe, in one locale, under the envelope of its channel,
with our own link or none. Source: spec/notification.md NT-8, NT-35 to NT-40, §11.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from outrider.core.errors import InvalidMessage, Undecodable
from outrider.core.notification.content import Content
from outrider.core.notification.request import NotificationRequest, Scalar
from outrider.notification.link import LinkPolicy, action_url, checked_target_url
from outrider.notification.policy import NotificationPolicy
from outrider.notification.record import Record
from outrider.notification.template import Templates
from outrider.notification.text import clean, summary
from outrider.notification.words import Wording

TEST: Final = "test"
"""The kind of a test send."""


class Prepared(NamedTuple):
    """A request as it is accepted; `fallback_used` where its summary may not be shown (NT-37)."""

    request: NotificationRequest
    fallback_used: bool


@dataclass(frozen=True, slots=True)
class Composer:
    """Judges requests and makes contents. `envelopes` by channel; `channels` are the names of those that there are."""

    templates: Templates
    policy: NotificationPolicy
    channels: Collection[str]
    envelopes: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, request: NotificationRequest) -> Prepared:
        """The request with its texts cleaned, its summary cut or emptied, its link judged.

        Raises Undecodable: `version.unknown` for a kind or a channel that is not known here, which a rolling deploy may
        bring; `body.invalid` for a link that may not go out.
        """
        self._check_known(request)
        kept = summary(request.summary_text, self.policy.summary_max)
        cleaned = replace(
            request,
            title=_cleaned(request.title),
            summary_text=kept.text,
            fallback_text=_cleaned(request.fallback_text),
            data={clean(name): _cleaned_value(value) for name, value in request.data.items()},
            target_url=self._checked_link(request.target_url),
        )
        return Prepared(cleaned, kept.fallback_used)

    def content(self, record: Record, members: Sequence[Record] = ()) -> Content:
        """What the record's channel renders; `members`, oldest first, make it a digest of them."""
        locale = self.templates.locale(record.locale, self.policy.default_locale)
        wording = Wording(self.templates, locale, self.envelopes.get(record.channel, ""))
        link = action_url(record.target_url, self._links)
        words = (
            wording.digest(record.kind, [member.summary_text or member.fallback_text or "" for member in members])
            if members
            else wording.words(
                record.kind,
                title=record.title,
                summary=record.summary_text,
                fallback=record.fallback_text,
                data=record.data,
                link=link,
            )
        )
        return Content(
            notification_id=record.id,
            recipient_id=record.recipient_id,
            kind=record.kind,
            locale=locale,
            requested_at=record.requested_at,
            title=words.title,
            text=words.text,
            neutral=words.neutral,
            action_text=words.action_text,
            action_url=link,
            fallback_used=record.fallback_used,
            priority=record.urgency,
            subject_type=record.subject_type,
            subject_id=record.subject_id,
            correlation_id=record.correlation_id,
            causation_id=record.causation_id,
            lines=words.lines,
            data=record.data,
        )

    def test(self, recipient_id: str, channel: str, locale: str | None, now: datetime) -> Content:
        """The fixed words of a test send, which has no record (§12)."""
        locale = self.templates.locale(locale or "", self.policy.default_locale)
        words = Wording(self.templates, locale, self.envelopes.get(channel, "")).words(TEST)
        return Content(
            None, recipient_id, TEST, locale, now, words.title, words.text, words.neutral, words.action_text, None
        )

    @property
    def _links(self) -> LinkPolicy:
        """Where no page is named, every page of ours may be linked."""
        policy = self.policy
        return LinkPolicy(policy.public_base_url, policy.action_paths or ("/",), policy.link_hosts)

    def _check_known(self, request: NotificationRequest) -> None:
        if request.kind not in self.templates.kinds:
            raise Undecodable(f"kind {request.kind!r} has no templates here", "kind", "version.unknown")
        route = request.route
        unknown = set() if route is None else {*route.always, *route.first_of}.difference(self.channels)
        if unknown:
            raise Undecodable(f"no such channel here: {', '.join(sorted(unknown))}", "route", "version.unknown")

    def _checked_link(self, url: str | None) -> str | None:
        try:
            return checked_target_url(url, self._links) if url else None
        except InvalidMessage as error:
            raise Undecodable(error.reason, error.field) from None


def _cleaned(text: str | None) -> str | None:
    return clean(text or "").strip() or None


def _cleaned_value(value: Scalar) -> Scalar:
    return clean(value) if isinstance(value, str) else value
