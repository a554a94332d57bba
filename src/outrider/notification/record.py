"""A record: one request on one channel for one recipient, as its row says. Source: spec/notification.md §9.

Invariant: only the steps of `notification.store` change a row, each by a transition that `states` lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import Any, Final
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.notification.content import Priority
from outrider.core.notification.request import NotificationRequest, Route, Scalar
from outrider.core.notification.traits import Form


@dataclass(frozen=True, slots=True)
class Record:
    """A row of `notification_record`, its columns in order. Times are the database's, aware and in UTC.

    `status` is text, because a row may hold one that this version does not know (NT-16). JSON columns are text.
    """

    id: UUID
    request_id: UUID
    request_hash: bytes
    parent_id: UUID | None
    step: int
    channel: str
    recipient_id: str
    kind: str
    subject_type: str | None
    subject_id: str | None
    correlation_id: str | None
    causation_id: str | None
    trace_id: str | None
    dedupe_key: str | None
    scope_hash: bytes
    requested_at: datetime
    deliver_at: datetime | None
    expires_at: datetime
    priority: int
    locale: str
    route_json: str
    target_url: str | None
    title: str | None
    summary_text: str | None
    fallback_text: str | None
    fallback_used: bool
    data_json: str | None
    status: str
    hold: str | None
    attempt_count: int
    attempt_no: int
    max_attempts: int
    generation: int
    form: str | None
    content_json: str | None
    content_hash: bytes | None
    next_retry_at: datetime | None
    ambiguous_since: datetime | None
    last_error_code: str | None
    last_error_class: str | None
    last_error: str | None
    provider_message_id: str | None
    destination_key: bytes | None
    address_version: int | None
    digest_id: UUID | None
    digest_record_id: UUID | None
    lease_owner: str | None
    lease_until: datetime | None
    epoch: int
    sent_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def has_begun(self) -> bool:
        """Whether an attempt of it was ever made."""
        return self.attempt_no > 0

    @property
    def urgency(self) -> Priority:
        """Its priority."""
        return Priority(self.priority)

    @property
    def current_form(self) -> Form | None:
        """The form that its content is frozen in, or that its next content takes."""
        return None if self.form is None else Form(self.form)

    @property
    def route(self) -> Route:
        """Its route as it was resolved at accept."""
        said = loads(self.route_json)
        return Route(always=tuple(said["always"]), first_of=tuple(said["first_of"]))

    @property
    def data(self) -> Mapping[str, Scalar]:
        """The application's data."""
        return loads(self.data_json) if self.data_json else {}

    def request(self) -> NotificationRequest:
        """What was asked, as far as a record keeps it: what the next channel and a new content are made from."""
        return NotificationRequest(
            request_id=self.request_id,
            recipient_id=self.recipient_id,
            kind=self.kind,
            requested_at=self.requested_at,
            subject_type=self.subject_type,
            subject_id=self.subject_id,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            dedupe_key=self.dedupe_key,
            target_url=self.target_url,
            title=self.title,
            summary_text=self.summary_text,
            fallback_text=self.fallback_text,
            data=self.data,
            priority=self.urgency,
            locale=self.locale,
            deliver_at=self.deliver_at,
            expires_at=self.expires_at,
            trace_id=self.trace_id,
        )


COLUMNS: Final = tuple(Record.__dataclass_fields__)
"""The columns in the order in which every statement that gives records selects them."""


def record_of(row: tuple[Any, ...]) -> Record:
    """The record in the first columns of a row."""
    values: dict[str, Any] = dict(zip(COLUMNS, row[: len(COLUMNS)], strict=True))
    values["fallback_used"] = bool(values["fallback_used"])
    return Record(**values)


def route_json(route: Route) -> str:
    """A route as a row keeps it."""
    return canonical_json({"always": list(route.always), "first_of": list(route.first_of)}).decode()
