"""Counting what there is, for `notify stats` and the metrics. Source: spec/notification.md §13."""

from datetime import datetime, timedelta

from outrider.core.notification.totals import RecordTotal, Totals
from outrider.core.steps import Statement, Steps

_NOTHING = timedelta(0)


def read_totals() -> Steps[Totals]:
    """Count.

    Statements: `notification_totals` → `(channel, status, hold, count, oldest due time, clock)`; `destination_totals` →
    `(channel, state, count)`, both in no order.
    """
    records = yield Statement("notification_totals")
    destinations = yield Statement("destination_totals")
    return Totals(
        tuple(
            sorted(
                (
                    RecordTotal(channel, status, hold, int(count), _since(oldest, now))
                    for channel, status, hold, count, oldest, now in records
                ),
                key=lambda one: (one.channel, one.status, one.hold or ""),
            )
        ),
        sorted((channel, state, int(count)) for channel, state, count in destinations),
    )


def _since(due: datetime | None, now: datetime) -> timedelta:
    return _NOTHING if due is None else max(now - due, _NOTHING)
