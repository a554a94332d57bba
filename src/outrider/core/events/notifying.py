"""Telemetry events of notifications: one a change, never a text, an address or a secret. Source: spec/notification.md §13."""

from dataclasses import dataclass

from outrider.core.events.base import TelemetryEvent
from outrider.core.notification.totals import Totals


@dataclass(frozen=True, slots=True)
class NotificationEvent(TelemetryEvent):
    """Something happened to one record. `attempt` is the number of its newest attempt; `trace_id` empty without one."""

    record_id: str
    request_id: str
    channel: str
    kind: str
    attempt: int
    trace_id: str


@dataclass(frozen=True, slots=True)
class NotificationAccepted(NotificationEvent):
    """A request made a record. `fallback_used`: its summary could not be shown, another text takes its place (NT-37)."""

    fallback_used: bool = False


@dataclass(frozen=True, slots=True)
class NotificationDuplicate(NotificationEvent):
    """A request was answered by a record that was there."""


@dataclass(frozen=True, slots=True)
class NotificationSuperseded(NotificationEvent):
    """A record that nobody was told of yet took a newer request's content."""


@dataclass(frozen=True, slots=True)
class NotificationAttemptStarted(NotificationEvent):
    """A provider is about to be called."""


@dataclass(frozen=True, slots=True)
class NotificationAttemptFinished(NotificationEvent):
    """A call ended after `duration` seconds, with this outcome, class and code (both empty on success). `provider_code` is
    the provider's own; `unsafe_url` where our guard refused to call.
    """

    outcome: str = ""
    error_class: str = ""
    code: str = ""
    provider_code: str = ""
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class NotificationSent(NotificationEvent):
    """A person was told, `since_accept` seconds after the request was accepted."""

    priority: int = 1
    since_accept: float = 0.0


@dataclass(frozen=True, slots=True)
class NotificationFailed(NotificationEvent):
    """It will be tried again in `delay` seconds."""

    code: str = ""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class NotificationHeld(NotificationEvent):
    """It is due, and waits for a reason that costs no attempt, `delay` seconds."""

    reason: str = ""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class NotificationDead(NotificationEvent):
    """It is given up, for the reason in `code`."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class NotificationUnknown(NotificationEvent):
    """Nobody knows whether the person was told, and it is not tried again."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class NotificationSkipped(NotificationEvent):
    """There was nobody to tell, or it is switched off."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class NotificationCanceled(NotificationEvent):
    """It is no longer wanted."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class NotificationMerged(NotificationEvent):
    """Several went into one list: this is the list's own record, of so many `members`."""

    members: int = 0


@dataclass(frozen=True, slots=True)
class NotificationReopened(NotificationEvent):
    """What it was skipped for want of is there now."""


@dataclass(frozen=True, slots=True)
class NotificationReplayed(NotificationEvent):
    """A person sends it again, by this mode: `resume` the same message, `resend` a second one."""

    mode: str = ""


@dataclass(frozen=True, slots=True)
class NotificationResolved(NotificationEvent):
    """What became of an unknown one is known now: `status`, said by `by`, a `person` or the channel's `lookup`."""

    status: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class NotificationUnrecognisedAnswer(NotificationEvent):
    """A provider refused under a code that no table knows; told once a day for each code of a channel."""

    provider_code: str = ""


@dataclass(frozen=True, slots=True)
class NotificationRecovered(NotificationEvent):
    """Its sender did not come back; what became of the call is not known."""


@dataclass(frozen=True, slots=True)
class NotificationLeaseLost(NotificationEvent):
    """Another process owned it by the time that this one wanted to write."""


@dataclass(frozen=True, slots=True)
class NotificationLateSuccess(NotificationEvent):
    """A call that was given up had succeeded after all."""


@dataclass(frozen=True, slots=True)
class NotificationFallback(NotificationEvent):
    """The next channel of its route is to tell the person, `next_channel`."""

    next_channel: str = ""


@dataclass(frozen=True, slots=True)
class NotificationDestinationOpened(TelemetryEvent):
    """A destination failed again and again, and is left alone for `delay` seconds. `label` is masked."""

    channel: str
    label: str
    code: str
    delay: float


@dataclass(frozen=True, slots=True)
class NotificationDestinationProbed(TelemetryEvent):
    """One send tries a destination that was left alone. `label` is masked."""

    channel: str
    label: str


@dataclass(frozen=True, slots=True)
class NotificationDestinationClosed(TelemetryEvent):
    """A destination takes sends again. `label` is masked."""

    channel: str
    label: str


@dataclass(frozen=True, slots=True)
class NotificationDestinationDisabled(TelemetryEvent):
    """A destination was switched off by its answers. `label` is masked."""

    channel: str
    label: str
    code: str


@dataclass(frozen=True, slots=True)
class NotificationTotalsRead(TelemetryEvent):
    """A process counted records and destinations by channel and state, for its metrics."""

    totals: Totals
    duration: float


@dataclass(frozen=True, slots=True)
class NotificationSecretsPlain(TelemetryEvent):
    """Secrets of so many `addresses` lie plain in their rows: give `notification.secret_keys`, then rekey."""

    addresses: int
