"""Steps that delete what nobody needs any more.

Invariant: a log row goes only when every subscription that reads the log had passed it `keep` ago, by the journal, no
exception row of it is undecided, and every receipt that is expected here is present (so the sweeper needs it no more); a
receipt goes only after its log row (OB-76, OB-77, H34, H50). The checks stand in the deleting statement itself, under
locks on all cursor rows, so nothing changes between check and deletion.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from outrider.core.errors import RetentionTooShort
from outrider.core.steps import Params, Statement, Steps

MARGIN: Final = timedelta(hours=1)
"""How far beyond the newest receipt that was deleted an arrival cannot be proved new."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept; `dead_keep` None keeps dead and quarantined rows for ever. `batch` is ids a statement."""

    keep: timedelta = timedelta(days=7)
    receipts_keep: timedelta = timedelta(days=14)
    audit_keep: timedelta = timedelta(days=365)
    dead_keep: timedelta | None = None
    batch: int = 5_000


def check_receipts(retention: Retention) -> None:
    """Raise RetentionTooShort where receipts would go before the log rows that they guard (OB-77)."""
    if retention.receipts_keep < retention.keep:
        raise RetentionTooShort("prune.receipts_keep", retention.receipts_keep, retention.keep)


def outliving(receipts_keep: timedelta, sources: Mapping[str, timedelta | None]) -> dict[str, timedelta | None]:
    """The sources that keep messages for longer than receipts stay; None is one that keeps for ever (OB-77, H34)."""
    return {name: kept for name, kept in sources.items() if kept is None or kept > receipts_keep}


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of log ids, `after` excluded; `old` says that one of them was created before the cutoff."""

    after: int
    upper: int
    old: bool


def take_lease(owner: str, lease: timedelta) -> Steps[bool]:
    """Become or stay the one that prunes. Statement `take_prune_lease` (owner, lease) → one row where it was taken."""
    rows = yield Statement("take_prune_lease", {"owner": owner, "lease": lease})
    return bool(rows)


def release_lease(owner: str) -> Steps[None]:
    """Stop being it. Statement `release_prune_lease` (owner)."""
    yield Statement("release_prune_lease", {"owner": owner})


def next_window(after: int, retention: Retention) -> Steps[Window | None]:
    """The next stretch of at most a batch of ids; None at the end.

    Statement `prune_window` (after, limit, keep) → one row (upper or None, old).
    """
    rows = yield Statement("prune_window", {"after": after, "limit": retention.batch, "keep": retention.keep})
    upper, old = rows[0]
    return None if upper is None else Window(after, int(upper), bool(old))


def prune_window(window: Window, retention: Retention) -> Steps[int]:
    """Delete what may go of a window, with its exception rows that are done; gives the number of messages. In a transaction.

    Dead and quarantined rows go with their message, after `dead_keep`; what a person discarded waits for no receipt.
    Statements: `lock_cursors` () locks every cursor row, in order; `prune_messages` (after, upper, keep, dead_keep) → a row
    for each deleted; `prune_deliveries` (after, upper).
    """
    yield Statement("lock_cursors")
    rows = yield Statement("prune_messages", _bounds(window, retention))
    yield Statement("prune_deliveries", {"after": window.after, "upper": window.upper})
    return len(rows)


def count_prunable(window: Window, retention: Retention) -> Steps[int]:
    """How many messages `prune_window` would delete. Statement `prunable_messages`, as `prune_messages` → (count)."""
    rows = yield Statement("prunable_messages", _bounds(window, retention))
    return int(rows[0][0])


def _bounds(window: Window, retention: Retention) -> Params:
    kept = {"keep": retention.keep, "dead_keep": retention.dead_keep}
    return {"after": window.after, "upper": window.upper, **kept}


def prune_receipts(retention: Retention) -> Steps[int]:
    """Delete at most a batch of receipts, and of done inbox rows, and raise `receipts_from` (OB-77). In a transaction.

    Statements: `prune_receipts`, `prune_inbox` (receipts_keep, limit) → rows (consumer_id, at);
    `raise_receipts_from` `many` (consumer_id, at).
    """
    params = {"receipts_keep": retention.receipts_keep, "limit": retention.batch}
    receipts = yield Statement("prune_receipts", params)
    done = yield Statement("prune_inbox", params)
    newest: dict[int, datetime] = {}
    for consumer_id, at in (*receipts, *done):
        newest[consumer_id] = max(at, newest.get(consumer_id, at))
    if newest:
        yield Statement(
            "raise_receipts_from",
            many=[{"consumer_id": consumer_id, "at": at + MARGIN} for consumer_id, at in sorted(newest.items())],
        )
    return len(receipts) + len(done)


def prune_dead(retention: Retention) -> Steps[int]:
    """Delete dead and quarantined rows of the inbox whose time is over, if a time was set, and whose message is not, or no
    longer, in this log. Statement `prune_dead_inbox` (dead_keep, limit) → a row for each.
    """
    if retention.dead_keep is None:
        return 0
    rows = yield Statement("prune_dead_inbox", {"dead_keep": retention.dead_keep, "limit": retention.batch})
    return len(rows)


def prune_rest(retention: Retention) -> Steps[Counter[str]]:
    """Delete journal, audit and process rows whose time is over; gives rows by table.

    Statements `prune_journal` (keep, limit; each lane's newest row before the cutoff stays: it is the pruning bound),
    `prune_audit` (audit_keep, limit), `prune_processes` () → a row for each.
    """
    journal = yield Statement("prune_journal", {"keep": retention.keep, "limit": retention.batch})
    audit = yield Statement("prune_audit", {"audit_keep": retention.audit_keep, "limit": retention.batch})
    processes = yield Statement("prune_processes")
    return Counter(outbox_advance=len(journal), outrider_audit=len(audit), outrider_process=len(processes))
