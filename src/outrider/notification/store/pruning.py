"""What is deleted when its time is over. Source: spec/notification.md §9, last line.

Invariant: only what has ended is touched; an answer or a scope goes as soon as it has expired. Each step deletes at most a
batch: call it until it gives less.
"""

from collections import Counter
from typing import Final

from outrider.core.steps import Statement, Steps
from outrider.notification.policy import Retention

BATCH: Final = 500


def prune(retention: Retention, limit: int = BATCH) -> Steps[Counter[str]]:
    """Delete at most `limit` rows of each kind whose time is over; gives how many, by what they were.

    Texts, data and frozen content of ended records are emptied, and the bodies of their attempts; then attempts go, then
    records with whatever is left of theirs, closed digests and archived inbox items. Statements, each with a row for what it
    took, params `keep`, `limit`: `prune_notification_texts`, `prune_notification_bodies`, `prune_notification_attempts`,
    `prune_notifications`, `prune_digests`, `prune_inbox_items`; `limit` alone: `prune_notification_scopes`,
    `prune_notification_answers`.
    """
    kept = {
        "texts": ("prune_notification_texts", retention.texts),
        "bodies": ("prune_notification_bodies", retention.texts),
        "attempts": ("prune_notification_attempts", retention.attempts),
        "records": ("prune_notifications", retention.records),
        "digests": ("prune_digests", retention.records),
        "inbox": ("prune_inbox_items", retention.inbox),
    }
    found: Counter[str] = Counter()
    for what, (name, keep) in kept.items():
        found[what] = len((yield Statement(name, {"keep": keep, "limit": limit})))
    for what, name in (("scopes", "prune_notification_scopes"), ("answers", "prune_notification_answers")):
        found[what] = len((yield Statement(name, {"limit": limit})))
    return found


def is_done(found: Counter[str], limit: int = BATCH) -> bool:
    """Whether nothing is left to prune after this step."""
    return max(found.values(), default=0) < limit
