"""Steps that put a handler subscription back to where it stood, so that it reads on from there again.

Invariant: the cursor, its epoch and its journal change in one transaction, under the lanes' locks: who owned a lane loses it,
nothing is pruned by a journal row that is no longer true, and what is read again takes effect at most once, by its receipt.
Rows of messages that wait, are dead or were discarded stay as they are. Source: spec/outbox.md section 13, OB-21, OB-22.
"""

from dataclasses import dataclass
from datetime import datetime

from outrider.core.cursors import check_cluster, parse_position, position_params, read_cluster
from outrider.core.errors import OperationRefused
from outrider.core.lane import Cursor, LaneKey, Subscription
from outrider.core.overview import COUNT_MAX, read_now
from outrider.core.position import Position
from outrider.core.steps import Row, Statement, Steps
from outrider.core.subscriptions import find_subscription


@dataclass(frozen=True, slots=True)
class RewoundLane:
    """A lane that was, or would be, rewound: to where it stood at `stood_at` (None: to the beginning of the log).

    `again` messages are read again: at most COUNT_MAX + 1, which means more than COUNT_MAX.
    """

    lane: int
    stood_at: datetime | None
    again: int


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a lane stands, and the newest row of its journal that is old enough."""

    cursor: Cursor
    seq: int
    stood_at: datetime | None
    position: Position
    passed: int


def rewind(name: str, to: datetime, *, dry_run: bool) -> Steps[list[RewoundLane]]:
    """Put every lane back to where it stood at `to`, by its journal. In a transaction.

    Raises OperationRefused for a time ahead, a subscription that is not there or publishes; ForeignPosition where the
    position is of another cluster. Statements, with `subscription_id`:
    - `lanes_at` (to) → rows (lane, lanes, done, target, last_id, high_id, floor_id, cluster, epoch, starts, marked_id,
      passed, seq, stood_at, then_done, then_target, then_last_id, then_passed) under locks; from `seq` on of the lane's
      newest journal row at or before `to`, or 0 and the position before the first message
    - `count_again` (lane, lanes, limit, and the `then_` position) → (count) of the messages between it and the cursor
    - `rewind_lane` (lane and the `then_` position): moves the cursor, takes the lane from its owner
    - `cut_advances` (lane, seq): deletes the journal rows above
    - `forget_delivered` (lane, lanes and the `then_` position): deletes rows that are done and delivered, which a reader
      would pass over
    """
    found = yield from find_subscription(name)
    if found is None:
        raise OperationRefused(f"no subscription {name!r} reads this log: see  outrider cursor show")
    if found.kind != "handler":
        raise OperationRefused(
            f"{name} is a {found.kind}: rewound, it would send everything again; replay or resend messages instead"
        )
    if to >= (yield from read_now()):
        raise OperationRefused(f"{to.isoformat()} is still to come: a position only goes back")
    cluster, now = yield from read_cluster()
    rows = yield Statement("lanes_at", {"subscription_id": found.id, "to": to})
    rewound = []
    for row in rows:
        place = _place(found, row)
        check_cluster(place.cursor, cluster, now)
        rewound.append((yield from _rewind_lane(place, dry_run=dry_run)))
    return rewound


def _rewind_lane(place: _Place, *, dry_run: bool) -> Steps[RewoundLane]:
    key, lanes = place.cursor.key, place.cursor.lanes
    lane = {"subscription_id": key.subscription_id, "lane": key.lane}
    then = {f"then_{name}": value for name, value in position_params(place.position).items()}
    counted = yield Statement("count_again", {**lane, **then, "lanes": lanes, "limit": COUNT_MAX + 1})
    again = int(counted[0][0])
    if not dry_run:
        yield Statement("rewind_lane", {**lane, **then, "then_passed": place.passed})
        yield Statement("cut_advances", {**lane, "seq": place.seq})
        yield Statement("forget_delivered", {**lane, **then, "lanes": lanes})
    return RewoundLane(key.lane, place.stood_at, again)


def _place(subscription: Subscription, row: Row) -> _Place:
    (lane, lanes, done, target, last_id, high_id, floor_id, cluster, epoch, starts, marked_id, passed, *then) = row
    seq, stood_at, then_done, then_target, then_last_id, then_passed = then
    cursor = Cursor(
        LaneKey(subscription.id, lane), lanes, parse_position(done, target, last_id), high_id, floor_id, cluster, epoch,
        starts, marked_id, passed,
    )  # fmt: skip
    return _Place(cursor, seq, stood_at, parse_position(then_done, then_target, then_last_id), then_passed)
