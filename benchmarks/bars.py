"""What each figure must reach, and how it reads."""

import math
from typing import Final, NamedTuple


class Bar(NamedTuple):
    """A bound: at least `value` where `least`, else at most."""

    least: bool
    value: float

    def met(self, figure: float) -> bool:
        """Whether the figure reaches the bar."""
        return figure >= self.value if self.least else figure <= self.value

    def __str__(self) -> str:
        if math.isinf(self.value):
            return "none"
        return f"{'≥' if self.least else '≤'} {self.value:g}"


def at_least(value: float) -> Bar:
    """A lower bound."""
    return Bar(least=True, value=value)


def at_most(value: float) -> Bar:
    """An upper bound."""
    return Bar(least=False, value=value)


BARS: Final[dict[str, dict[str, Bar]]] = {
    "enqueue": {
        "psycopg": at_most(1.65),
        "asyncpg": at_most(1.65),
        "sqlalchemy_orm": at_most(1.30),
        "add_vs_bare_insert": at_most(1.25),
        "batch100_vs_copy": at_most(3),
    },
    "relay": {
        "read_vs_copy": at_least(0.40),
        "null_vs_copy": at_least(0.18),
        "kafka_vs_produce": at_least(0.65),
        "transactional_vs_produce": at_least(0.40),
        "sqlite_vs_read": at_least(0.25),
        "cpu_s_per_100k": at_most(2.5),
        "rss_mb": at_most(120),
    },
    "enqueue_mariadb": {"add_vs_bare_insert": at_most(1.6)},
    "relay_mariadb": {
        "mariadb_vs_read": at_least(0.30),
        "kafka_vs_produce": at_least(0.35),
        "rss_mb": at_most(150),
    },
    "peers": {
        "relay_vs_faststream_outbox": at_least(15),
        "handler_vs_faststream_outbox": at_least(3),
        "relay_vs_pgqueuer": at_least(8),
        "handler_vs_pgqueuer": at_least(1.5),
        "relay_vs_procrastinate": at_least(50),
        "handler_vs_procrastinate": at_least(15),
    },
    "consume": {"batched_vs_bare": at_least(0.5)},
    "latency": {
        "p50_ms": at_most(3),
        "p99_ms": at_most(15),
        "kafka_p50_ms": at_most(5),
        "kafka_p99_ms": at_most(20),
        "commit_ratio_8_clients": at_least(0.90),
    },
    "candidates": {
        "instances": at_least(500),
        "worse": at_most(0),
        "p50_ms": at_most(10),
        "p99_ms": at_most(50),
    },
    "steward": {"page_p95_ms": at_most(50), "confirm_p95_ms": at_most(100), "scan_10k_s": at_most(60)},
    "notification": {
        "inapp_vs_bare": at_least(0.4),
        "rate_used": at_least(0.9),
        "rate_exceeded": at_most(0),
    },
    "growth": {
        "million_vs_10k": at_least(0.85),
        "held_snapshot": at_least(0.85),
        "late_commit_ms": at_most(20),
        "hot_key_slowdown": at_most(1.3),
        "search_index_cost": at_most(float("inf")),
    },
}
"""By the benchmark's name; on another database than PostgreSQL, with that database's name behind it."""
