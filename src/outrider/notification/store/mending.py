"""What is mended besides what recovery settles: leases of processes that are dead, ends that nobody knows.

Source: spec/notification.md NT-13, T16; spec/outbox.md OB-100.
"""

from uuid import UUID

from outrider.core.steps import Statement, Steps
from outrider.notification.record import Record, record_of
from outrider.notification.store.rows import read_clock
from outrider.notification.store.rules import Rules


def read_owners() -> Steps[list[str]]:
    """Whose leases live: statement `notification_owners` → `(lease_owner)` of each."""
    rows = yield Statement("notification_owners")
    return [owner for (owner,) in rows]


def end_leases(owner: str) -> Steps[None]:
    """End the leases of a process that is proved dead: what it was sending is recovered, what it had claimed is due.

    Statement `end_notification_leases`, param `owner`.
    """
    yield Statement("end_notification_leases", {"owner": owner})


def read_unknown(rules: Rules, channel: str, limit: int, behind: UUID | None = None) -> Steps[list[Record]]:
    """Records of `channel` that became unknown within `reopen_window`, behind `behind` in the order of ids.

    Statement `unknown_notifications`, params `channel`, `behind`, `since` (of `ended_at`), `limit` → records.
    """
    since = (yield from read_clock()) - rules.settings.reopen_window
    params = {"channel": channel, "behind": behind or UUID(int=0), "since": since, "limit": limit}
    found = yield Statement("unknown_notifications", params)
    return [record_of(row) for row in found]
