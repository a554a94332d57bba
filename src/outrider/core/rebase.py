"""Steps that make positions anew in a database that is not the one they were written in: a restored dump, another cluster.

Snapshots are plain values, so the stored ones tell on the restored rows what was not delivered: ids above the highest one
passed, and what is not behind the position. Exactly these get rows, due now, and everything up to the highest id is read no
more. "After the last delivered id" would lose what committed late (H44).

Invariant: rows, positions, epochs and journals change in one transaction, under a lock that keeps writers out; log rows stay
as they are. Source: spec/outbox.md OB-20.
"""

from dataclasses import dataclass

from outrider.core.cursors import note_advance, parse_position
from outrider.core.lane import LaneKey
from outrider.core.steps import Statement, Steps


@dataclass(frozen=True, slots=True)
class Rebased:
    """A subscription that was, or would be, rebased, and how many of its messages had not been delivered."""

    subscription: str
    lanes: int
    undelivered: int


def rebase(*, from_id: int | None = None, dry_run: bool = False) -> Steps[list[Rebased]]:
    """Make the positions of all subscriptions anew; `from_id` where none survived: all from that id on counts as undelivered.

    In a transaction. Statements: `lock_log` () keeps writers out until its end; `lock_readers` () → rows (subscription_id,
    name, kind, lane, lanes) under locks; with `subscription_id`, `lane`, `lanes`, `from_id` int or None: `count_undelivered`
    → (count) of those without a row of their own, and `park_undelivered`, which gives each a row: due now where it is the
    first of its key, waiting where its time is ahead, else parked; `rebase_lane` → (done, target, last_id, floor_id, passed)
    of the new position in this cluster, which nobody holds; `delete_advances`, whose snapshots belong to the old one. The
    sweeper begins anew without rows: what was published before is not swept.
    """
    if not dry_run:
        yield Statement("lock_log")
    lanes = yield Statement("lock_readers")
    found: dict[str, Rebased] = {}
    begun: set[int] = set()
    for subscription_id, name, kind, lane, number in lanes:
        params = {"subscription_id": subscription_id, "lane": lane, "lanes": number, "from_id": from_id}
        undelivered = 0
        if kind != "sweeper":
            undelivered = int((yield Statement("count_undelivered", params))[0][0])
        before = found.get(name)
        found[name] = Rebased(name, number, undelivered + (before.undelivered if before else 0))
        if dry_run:
            continue
        if kind != "sweeper":
            yield Statement("park_undelivered", params)
        if subscription_id not in begun:
            yield Statement("delete_advances", {"subscription_id": subscription_id})
            begun.add(subscription_id)
        key = LaneKey(subscription_id, lane)
        ((done, target, last_id, floor_id, passed),) = yield Statement("rebase_lane", key._asdict())
        yield from note_advance(key, parse_position(done, target, last_id), floor_id, passed)
    return list(found.values())
