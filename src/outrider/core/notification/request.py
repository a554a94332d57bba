"""What an application asks: tell this person about this.

Invariant: a `NotificationRequest` is complete, within its limits, and storable on every database. Source:
spec/notification.md NT-2, §11.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from outrider.core.notification.content import Priority

Scalar = str | int | float | bool | None

REQUESTED: Final = "notification.requested"
ORIGINAL: Final = "notification.feishu.requested"
"""The same from the service that this one replaces (NT-48)."""
ENDED: Final = "notification.ended"
CHANNEL_DISABLED: Final = "notification.channel_disabled"


@dataclass(frozen=True, slots=True)
class Route:
    """Which channels a request goes to (NT-7).

    Each of `always` gets a record. Of `first_of` the first that is usable gets one, and if that does not tell the person, the
    next (NT-28).
    """

    always: tuple[str, ...] = ("inbox",)
    first_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotificationRequest:
    """A request as it was read; `request_id` is the message's id. See NT-2 for what each field is.

    `notification_id` is kept as text, because only one that names a record of ours means anything. Texts are as they
    came: they are made safe when content is made. `target_url` has not been judged yet (NT-39). `permanent_scope`: its
    scope is kept as long as the record (NT-49).
    """

    request_id: UUID
    recipient_id: str
    kind: str
    requested_at: datetime
    notification_id: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    dedupe_key: str | None = None
    target_url: str | None = None
    title: str | None = None
    summary_text: str | None = None
    fallback_text: str | None = None
    data: Mapping[str, Scalar] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    route: Route | None = None
    locale: str | None = None
    deliver_at: datetime | None = None
    expires_at: datetime | None = None
    trace_id: str | None = None
    permanent_scope: bool = False

    @property
    def names_its_subject(self) -> bool:
        """Whether two requests of it may be the same thing (NT-3)."""
        return self.subject_id is not None or self.dedupe_key is not None


def as_json(request: NotificationRequest) -> dict[str, Any]:
    """The request as the body of a `notification.requested` message; what is absent is left out."""
    named = {name: getattr(request, name) for name in _PLAIN}
    body = {name: value for name, value in named.items() if value is not None}
    if request.data:
        body["data"] = dict(request.data)
    if request.route is not None:
        body["route"] = {"always": list(request.route.always), "first_of": list(request.route.first_of)}
    return body | {"priority": request.priority.name.lower()}


_PLAIN: Final = (
    "notification_id", "recipient_id", "kind", "requested_at", "subject_type", "subject_id", "correlation_id", "causation_id",
    "dedupe_key", "target_url", "title", "summary_text", "fallback_text", "locale", "deliver_at", "expires_at", "trace_id",
)  # fmt: skip
