"""How much there is of what, as values: for `notify stats` and the metrics. Source: spec/notification.md §13."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RecordTotal:
    """Records of one channel in one state, and what holds them. `oldest_due`: for how long the oldest of them has been
    due; nothing where none is, or where they are held.
    """

    channel: str
    status: str
    hold: str | None
    count: int
    oldest_due: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """Everything, in groups; `destinations` by channel and state."""

    records: tuple[RecordTotal, ...]
    destinations: Sequence[tuple[str, str, int]]
