"""What a consumer is told about itself. Durations are seconds. Source: spec/outbox.md section 14."""

from dataclasses import dataclass, field
from typing import Final

from outrider.core.retry import RetryPolicy

THREADS_LOST_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class ConsumerConfig:
    """`in_place_delays` are waited before each try in place; `threads_lost_max` threads lost end the process (OB-69).

    `breaker_failures` in a row over `breaker_keys` keys open a handler's breaker; while one is open at most about
    `park_limit` messages are set aside by this process (OB-60, OB-68).
    """

    name: str
    service: str
    concurrency: int = 8
    batch_size: int = 50
    in_place_delays: tuple[float, ...] = (0.05, 0.25)
    max_bytes: int = 16 * 1024 * 1024
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    breaker_failures: int = 20
    breaker_keys: int = 5
    park_limit: int = 10_000
    threads_lost_max: int = THREADS_LOST_MAX
    backoff_seconds: tuple[float, float] = (0.1, 1.0)
    tick_seconds: float = 1.0
