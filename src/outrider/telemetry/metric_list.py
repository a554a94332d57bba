"""The metrics, as data: what each is called, what it counts, by which labels, and which events feed it.

Invariant: a label is one of `LABELS`: never a key, an id or a text, so that a metric has few series and no secret (OB-92).
`metrics.py` fills them; docs/reference/metrics.md, the board and the alert rules are proved against this list.
"""

from typing import Final

from outrider.core.events import (
    BatchRead,
    CursorAdvanced,
    DuplicateSkipped,
    GaugesRead,
    HandlerFailed,
    LaneGivenBack,
    LaneTaken,
    LeaseLost,
    LogPruned,
    MessageDied,
    MessageQuarantined,
    MessageSwept,
    OrderRegressed,
    PublishAcknowledged,
    PublishRefused,
    PublishUnknown,
    ReceiptRecorded,
    RetryScheduled,
    TraceDropped,
    WakeupHeard,
)
from outrider.telemetry.metric import MESSAGES, SECONDS, Metric
from outrider.telemetry.notification_metric_list import NOTIFICATION_METRICS

LABELS: Final = frozenset(
    {
        "service", "subscription", "lane", "destination", "consumer", "type", "outcome", "code",
        "channel", "kind", "result", "class", "status", "priority", "state", "reason", "source", "from", "to", "mode",
    }
)  # fmt: skip

_LANE = ("service", "subscription", "lane")
_READER = ("service", "subscription", "consumer")

METRICS: Final = (
    Metric("backlog_messages", "gauge", _LANE, "Messages before a lane's position; counted to 10,000, estimated beyond.",
           (GaugesRead,)),
    Metric("oldest_age_seconds", "gauge", _LANE, "Age of the oldest message before a lane's position.", (GaugesRead,)),
    Metric("published_total", "counter", ("service", "subscription", "destination", "outcome", "code"),
           "Messages by what publishing gave: acknowledged, refused, or unknown (sent again, without destination).",
           (PublishAcknowledged, PublishRefused, PublishUnknown)),
    Metric("publish_seconds", "histogram", ("service", "subscription"), "From handing a batch to the broker to its answer.",
           (PublishAcknowledged,), SECONDS),
    Metric("batch_messages", "histogram", ("service", "subscription"), "Messages read at a time.", (BatchRead,), MESSAGES),
    Metric("parked", "gauge", _READER, "Messages behind another of their key, a pause or a suspension.", (GaugesRead,)),
    Metric("dead", "gauge", _READER, "Messages that wait for a person.", (GaugesRead,)),
    Metric("quarantined", "gauge", _READER, "Messages that were not understood; their bytes are kept.", (GaugesRead,)),
    Metric("suspects", "gauge", _READER, "Messages that seem to kill their process or never get an answer.", (GaugesRead,)),
    Metric("retries_total", "counter", (*_READER, "type", "code"), "Tries put off to a later time.", (RetryScheduled,)),
    Metric("destination_paused", "gauge", ("service", "destination"), "1 while a destination is paused.", (GaugesRead,)),
    Metric("lease_held", "gauge", _LANE, "1 while this process holds the lane.", (LaneTaken, LaneGivenBack, LeaseLost)),
    Metric("lease_lost_total", "counter", ("service", "subscription"), "Leases that ran out or were taken by another owner.",
           (LeaseLost,)),
    Metric("advance_seconds", "histogram", ("service", "subscription"), "Writing a position.", (CursorAdvanced,), SECONDS),
    Metric("wakeups_total", "counter", ("service",), "Hints that something was committed.", (WakeupHeard,)),
    Metric("consumed_total", "counter", ("service", "consumer", "type", "outcome", "code"),
           "Messages by what handling gave: handled, duplicate, retry, dead, quarantined.",
           (ReceiptRecorded, DuplicateSkipped, RetryScheduled, MessageDied, MessageQuarantined)),
    Metric("handler_seconds", "histogram", ("service", "consumer", "type"), "One call of a handler, failed ones too.",
           (ReceiptRecorded, HandlerFailed), SECONDS),
    Metric("duplicates_total", "counter", ("service", "consumer", "type"), "Messages that had their receipt already.",
           (DuplicateSkipped,)),
    Metric("order_regressed_total", "counter", ("service", "consumer", "type"), "Messages after a later one of their key.",
           (OrderRegressed,)),
    Metric("unconsumed_age_seconds", "gauge", ("service",),
           "Age of the oldest message that the sweeper found published and not consumed; 0 without one.", (GaugesRead,)),
    Metric("resent_total", "counter", ("service", "type"), "Messages published again because nobody consumed them.",
           (MessageSwept,)),
    Metric("pruned_total", "counter", ("service",), "Rows deleted, of all tables.", (LogPruned,)),
    Metric("snapshot_age_seconds", "gauge", ("service",),
           "Age of the oldest open snapshot in the database, whoever's: it holds back vacuum (PostgreSQL).", (GaugesRead,)),
    Metric("trace_dropped_total", "counter", ("service",), "Messages added without their malformed trace context.",
           (TraceDropped,)),
    Metric("table_bytes", "gauge", ("service",), "The service's tables with their indexes; on SQLite the whole file.",
           (GaugesRead,)),
    *NOTIFICATION_METRICS,
)  # fmt: skip
