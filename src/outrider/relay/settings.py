"""How a relay behaves. Source: spec/outbox.md section 14, OB-90."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from outrider.core.errors import ConfigurationError
from outrider.core.retry import RetryPolicy

FLIGHTS_MAX: Final = 8
"""Batches handed to the broker at once."""
UNWRITTEN_MAX: Final = 16
"""Batches beyond the written position, at which reading waits (OB-37)."""
UNWRITTEN_WRITE: Final = 8
"""Batches beyond the written position, at which it is written before its interval is over (OB-22)."""
WATCH_SECONDS: Final = 0.5
"""How often pauses, due deliveries of others, and free lanes are looked for (OB-42: a pause holds within 1 s)."""
BATCH_SIZE_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """`batch_size` messages a read; spans as in the spec's table; `rates` the messages a second that a destination may get.

    Raises ConfigurationError naming all faults.
    """

    batch_size: int = 500
    lanes: int = 1
    lease: timedelta = timedelta(seconds=15)
    publish_timeout: timedelta = timedelta(seconds=5)
    poll_min: timedelta = timedelta(milliseconds=2)
    poll_max: timedelta = timedelta(milliseconds=100)
    advance_interval: timedelta = timedelta(milliseconds=20)
    preflight_interval: timedelta = timedelta(seconds=5)
    outage_backoff_max: timedelta = timedelta(seconds=5)
    park_alarm: int = 100_000
    rates: Mapping[str, float] = field(default_factory=dict)
    drain_timeout: timedelta = timedelta(seconds=20)
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __post_init__(self) -> None:
        zero = timedelta(0)
        faults = [
            "relay.batch_size must be 1…10000" if not 1 <= self.batch_size <= BATCH_SIZE_MAX else "",
            "relay.lanes must be at least 1" if self.lanes < 1 else "",
            "relay.lease must be at least 3 times relay.publish_timeout"
            if self.lease < 3 * self.publish_timeout
            else "",
            "relay.publish_timeout must be positive" if self.publish_timeout <= zero else "",
            "relay.poll_min must be positive and at most relay.poll_max"
            if not zero < self.poll_min <= self.poll_max
            else "",
            "relay.advance_interval must not be negative" if self.advance_interval < zero else "",
            "relay.preflight_interval must be positive" if self.preflight_interval <= zero else "",
            "relay.park_alarm must be at least 1" if self.park_alarm < 1 else "",
            "a destination's rate must be positive" if any(rate <= 0 for rate in self.rates.values()) else "",
        ]
        if any(faults):
            raise ConfigurationError("; ".join(fault for fault in faults if fault))
