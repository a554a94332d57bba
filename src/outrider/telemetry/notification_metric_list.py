"""The metrics of notifications, as data. Source: spec/notification.md §13.

Invariant: a label is a channel, a kind that has templates, or a word of ours: never a recipient, a URL or a text.
"""

from typing import Final

from outrider.core.events import (
    MessageQuarantined,
    NotificationAccepted,
    NotificationAttemptFinished,
    NotificationCanceled,
    NotificationDead,
    NotificationDuplicate,
    NotificationFallback,
    NotificationHeld,
    NotificationLateSuccess,
    NotificationLeaseLost,
    NotificationMerged,
    NotificationRecovered,
    NotificationReopened,
    NotificationReplayed,
    NotificationResolved,
    NotificationSent,
    NotificationSkipped,
    NotificationSuperseded,
    NotificationTotalsRead,
    NotificationUnknown,
)
from outrider.telemetry.metric import SECONDS, Metric

LONG: Final = (*SECONDS, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
_CHANNEL: Final = ("service", "channel")

NOTIFICATION_METRICS: Final = (
    Metric("notification_requests_total", "counter", ("service", "kind", "result"),
           "What requests gave, a record each: accepted, duplicate; or refused whole, then without a kind.",
           (NotificationAccepted, NotificationDuplicate, NotificationSuperseded, MessageQuarantined)),
    Metric("notification_attempts_total", "counter", (*_CHANNEL, "outcome", "class"), "Calls of providers.",
           (NotificationAttemptFinished,)),
    Metric("notification_attempt_seconds", "histogram", _CHANNEL, "One call of a provider.",
           (NotificationAttemptFinished,), SECONDS),
    Metric("notification_ended_total", "counter", (*_CHANNEL, "status"),
           "Records that ended, by how; one that goes on after its end may end again.",
           (NotificationSent, NotificationDead, NotificationSkipped, NotificationCanceled, NotificationUnknown,
            NotificationMerged, NotificationResolved, NotificationLateSuccess)),
    Metric("notification_accept_to_sent_seconds", "histogram", (*_CHANNEL, "priority"),
           "From the acceptance of a request to the person being told.", (NotificationSent,), LONG),
    Metric("notification_records", "gauge", (*_CHANNEL, "status"), "Records that are kept.", (NotificationTotalsRead,)),
    Metric("notification_oldest_due_seconds", "gauge", _CHANNEL,
           "For how long the oldest record that nothing holds has been due.", (NotificationTotalsRead,)),
    Metric("notification_held", "gauge", ("service", "reason"), "Records that wait for a reason of their own.",
           (NotificationTotalsRead,)),
    Metric("notification_lease_lost_total", "counter", ("service",), "Records that another process had taken meanwhile.",
           (NotificationLeaseLost,)),
    Metric("notification_recovered_total", "counter", ("service",), "Records whose sender did not come back.",
           (NotificationRecovered,)),
    Metric("notification_late_success_total", "counter", ("service",), "Calls that had succeeded after they were given up.",
           (NotificationLateSuccess,)),
    Metric("notification_fallback_total", "counter", ("service", "from", "to"), "Records that took another's place.",
           (NotificationFallback,)),
    Metric("notification_fallback_text_total", "counter", ("service",), "Records whose own summary could not be shown.",
           (NotificationAccepted,)),
    Metric("notification_destinations", "gauge", (*_CHANNEL, "state"), "Destinations.", (NotificationTotalsRead,)),
    Metric("notification_limited_total", "counter", (*_CHANNEL, "source"),
           "Sends that a rate put off: the provider's answer, or our own bucket.",
           (NotificationAttemptFinished, NotificationHeld)),
    Metric("notification_reopened_total", "counter", ("service",), "Skipped records that were taken up again.",
           (NotificationReopened,)),
    Metric("notification_replayed_total", "counter", ("service", "mode"), "Ended records that a person sent again.",
           (NotificationReplayed,)),
    Metric("notification_unrecognised_answer_total", "counter", _CHANNEL, "Refusals under a code that no table knows.",
           (NotificationAttemptFinished,)),
    Metric("notification_ssrf_refused_total", "counter", _CHANNEL, "Calls that our guard refused to make.",
           (NotificationAttemptFinished,)),
)  # fmt: skip
