"""Sending many ended records again, a batch a transaction. Source: spec/notification.md NT-47, T15."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from outrider.core.steps import Statement, Steps
from outrider.notification.record import Record, record_of
from outrider.notification.reopening import ReplayMode
from outrider.notification.store.acting import extend, may_be_replayed, replayed
from outrider.notification.store.listing import RecordFilter, oldest_first
from outrider.notification.store.rows import write_all
from outrider.notification.store.rules import Rules


def replay_matching(
    rules: Rules, wanted: RecordFilter, mode: ReplayMode, behind: UUID | None, limit: int
) -> Steps[tuple[list[Record], int, UUID | None]]:
    """Replay what matches and may be replayed, oldest first, of the `limit` records behind `behind`.

    Each is judged again under its lock: what changed meanwhile is left alone. Gives those replayed, how many were left, and
    where to go on (None: at the end). Statement `lock_notification`, `many` of `id`.
    """
    found = yield from oldest_first(wanted, behind, limit)
    changes: list[tuple[Record, Record]] = []
    if found:
        for row in (yield Statement("lock_notification", many=[{"id": one.id} for one in found])):
            record, now = record_of(row), row[-1]
            if wanted.matches(record) and may_be_replayed(rules, record, mode, now):
                changes.append((record, replayed(rules, record, mode, now)))
    done = [after for _, after in changes]
    yield from extend(done)
    yield from write_all(changes)
    return done, len(found) - len(done), found[-1].id if len(found) == limit else None


def count_replayable(rules: Rules, found: Sequence[Record], mode: ReplayMode, now: datetime) -> int:
    """How many of them would be replayed at `now`."""
    return sum(may_be_replayed(rules, one, mode, now) for one in found)
