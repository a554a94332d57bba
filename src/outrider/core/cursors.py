"""Steps on a lane's cursor row: taking it, keeping it, moving it, giving it back.

Invariant: whatever an owner writes is guarded by its epoch; a guard that finds no row raises LeaseLost (OB-41).
All times are the database's. Parameters shared by the statements: `subscription_id`, `lane` int, `epoch` int,
`done`, `target` text of a snapshot or None (storages with one writer ignore both), `last_id` int.
Source: spec/outbox.md OB-19, OB-22, OB-35, OB-41; design.md section 4.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from json import dumps
from typing import Any, Final

from outrider.core.errors import ForeignPosition, InvariantViolated, LeaseLost
from outrider.core.lane import Cursor, Held, LaneKey, Subscription
from outrider.core.position import Position
from outrider.core.runs import split_runs
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Statement, Steps
from outrider.core.subscriptions import find_subscription

NOTE_SECONDS: Final = 1.0
"""How often a journal row of the position is written (OB-22)."""
_MEND: Final = "In a restored database, before writers are let in, run  outrider cursor rebase"
_RUN_LEAST: Final = 50
"""From how many ids on without a gap one statement more costs less than to look each up."""
_SLOW_SECONDS: Final = 0.005
_STRETCH: Final = 10


def advance_stretch(took_seconds: float) -> int:
    """How many intervals to wait before the next writing of a position: more where the last one was slow (OB-22)."""
    return _STRETCH if took_seconds > _SLOW_SECONDS else 1


def read_cluster() -> Steps[tuple[str, Snapshot | None]]:
    """Give the storage's identity and its present snapshot.

    Statement `read_cluster`, no params → one row `(cluster text, snapshot text or None)`.
    """
    rows = yield Statement("read_cluster")
    cluster, snapshot = rows[0]
    return cluster, None if snapshot is None else Snapshot.parse(snapshot)


def read_leases(subscription_id: int) -> Steps[tuple[int, list[Held]]]:
    """How many lanes nobody holds, and who holds the others.

    Statement `read_leases`, params `subscription_id` → a row `(lane, owner, epoch, held)` for each lane.
    """
    rows = yield Statement("read_leases", {"subscription_id": subscription_id})
    held = [Held(lane, owner, epoch) for lane, owner, epoch, holds in rows if holds]
    return len(rows) - len(held), held


def take_lane(
    subscription: Subscription, owner: str, lease: timedelta, lane: int | None = None, *, over: Held | None = None
) -> Steps[Cursor | None]:
    """Take a free or expired lane (`lane`, or the lowest): epoch and starts rise by one, in one statement.

    `over` asks for a lane whose lease need not run out: `owner` itself held it until its connection was lost (OB-19; then
    nobody died, so `starts` is 1 and nothing is marked), or its owner is proved dead (OB-100). None where all are held.
    The number of lanes is read once more under the epoch, which a change of it raises: the statement itself may have seen
    the one before (OB-45).

    Statement `take_lane`, params `subscription_id`, `lane` (int or None), `owner`, `lease` (timedelta), `over_owner` and
    `over_epoch` (None without `over`) → at most one row `(lane, lanes, done, target, last_id, high_id, floor_id, cluster,
    epoch, starts, marked_id, passed)`. Rows locked by another's taking are skipped, never waited for. Source: OB-35.
    """
    params: dict[str, Any] = {"subscription_id": subscription.id, "lane": lane, "owner": owner, "lease": lease}
    params |= {"over_owner": None, "over_epoch": None}
    if over is not None:
        params |= {"lane": over.lane, "over_owner": over.owner, "over_epoch": over.epoch}
    rows = yield Statement("take_lane", params)
    if len(rows) > 1:
        raise InvariantViolated("one statement took more than one lane")
    if not rows:
        return None
    taken, _, done, target, last_id, high_id, floor_id, cluster, epoch, starts, marked_id, passed = rows[0]
    found = yield from find_subscription(subscription.name)
    return Cursor(
        key=LaneKey(subscription.id, taken),
        lanes=subscription.lanes if found is None else found.lanes,
        position=replace(parse_position(done, target, last_id), high_id=high_id),
        high_id=high_id,
        floor_id=floor_id,
        cluster=cluster,
        epoch=epoch,
        starts=starts,
        marked_id=marked_id,
        passed=passed,
    )


def parse_position(done: str | None, target: str | None, last_id: int) -> Position:
    """Make a position of the stored columns."""
    if done is None or target is None:
        return Position(last_id=last_id)
    return Position(Snapshot.parse(done), Snapshot.parse(target), last_id)


def check_cluster(cursor: Cursor, cluster: str, now: Snapshot | None) -> None:
    """Raise ForeignPosition unless the cursor's position was made in this cluster and lies in its past (OB-19).

    A crash of the server does not put a stored position into its future: see `core.position`.
    """
    where = f"lane {cursor.key.lane} of subscription {cursor.key.subscription_id}"
    if cursor.cluster != cluster:
        raise ForeignPosition(
            f"{where} has a position of cluster {cursor.cluster}, this is {cluster}; nothing is read from it. {_MEND}"
        )
    done = cursor.position.done
    if now is not None and done is not None and now.xmax < done.xmax:
        raise ForeignPosition(
            f"{where} has seen transaction {done.xmax}, this server is only at {now.xmax}; nothing is read from it."
            f" {_MEND}"
        )


def renew(key: LaneKey, epoch: int, lease: timedelta, *, idle: bool) -> Steps[None]:
    """Lengthen the lease to `lease` from now. Raises LeaseLost.

    `idle`: no publish has begun that did not come back, so `starts` becomes 0 and the mark goes: an owner killed while
    idle makes no suspect (OB-36). Statement `renew_lane`, params `lease`, `idle` bool → one row when the epoch still holds.
    """
    rows = yield Statement("renew_lane", {**_guard(key, epoch), "lease": lease, "idle": idle})
    _held(rows, key, epoch)


def release(key: LaneKey, epoch: int) -> Steps[bool]:
    """Give the lane back: no owner, no lease, `starts` 0, no mark. Says whether it was still ours.

    Statement `release_lane` → one row when the epoch held.
    """
    rows = yield Statement("release_lane", _guard(key, epoch))
    return bool(rows)


def lock(key: LaneKey, epoch: int) -> Steps[None]:
    """Lock the cursor row for this transaction. Raises LeaseLost.

    Statement `lock_lane` → one row when the epoch still holds. First in every transaction that writes more (H49).
    """
    rows = yield Statement("lock_lane", _guard(key, epoch))
    _held(rows, key, epoch)


def write_position(
    key: LaneKey, epoch: int, position: Position, high_id: int, passed: int, *, durable: bool = True
) -> Steps[None]:
    """Move the cursor; `starts` becomes 0 and the mark goes.

    Raises LeaseLost, also where the position is of an earlier run of the server. Safe to repeat. `passed` is the total of
    messages gone by since the lane began, `high_id` the highest id passed. Statement `write_position`, params of the
    position, `high_id`, `passed`, `server_run` (None: of any run; a storage that loses no transaction ids ignores it),
    `durable` → one row when the epoch still holds and the run is the present one.
    Not `durable`: the transaction, which writes nothing else, need not be on disk when it has committed. A server's crash
    may take it back, and what lies between is sent again; a storage where that saves nothing ignores it.
    Where side rows were taken, they go in the same transaction.
    """
    params = {**_guard(key, epoch), **position_params(position), "high_id": high_id, "passed": passed}
    rows = yield Statement("write_position", {**params, "server_run": position.server_run, "durable": durable})
    _held(rows, key, epoch)
    if position.taken:
        yield from delete_side_rows(key.subscription_id, sorted(chain.from_iterable(position.taken)))


def delete_side_rows(subscription_id: int, log_ids: Sequence[int]) -> Steps[None]:
    """Delete the side rows of these rising ids, which are all there, and wait for none that is not committed yet (H10).

    Statements: `delete_pending_run`, params `subscription_id`, `first`, `end` (exclusive) and `rows`, how many lie there;
    `delete_pending`, params `subscription_id`, `log_ids`, a JSON array. Source: OB-21.
    """
    runs, rest = split_runs(log_ids, _RUN_LEAST)
    for first, end in runs:
        params = {"subscription_id": subscription_id, "first": first, "end": end, "rows": end - first}
        yield Statement("delete_pending_run", params)
    yield Statement("delete_pending", {"subscription_id": subscription_id, "log_ids": dumps(rest)})


def mark(key: LaneKey, epoch: int, log_id: int | None, starts: int) -> Steps[None]:
    """Note the message that is about to be tried, None for none, and the `starts` that it counts. Raises LeaseLost.

    Statement `mark_lane`, params `marked_id`, `starts` → one row when the epoch still holds. Source: OB-36.
    """
    rows = yield Statement("mark_lane", {**_guard(key, epoch), "marked_id": log_id, "starts": starts})
    _held(rows, key, epoch)


def note_advance(key: LaneKey, position: Position, floor_id: int, passed: int) -> Steps[None]:
    """Append a row to `outbox_advance`, in a transaction that has locked the lane or moved its cursor (OB-22).

    Statement `insert_advance`, params of the position, `floor_id`, `passed`; `seq` is the lane's next.
    """
    params = {"subscription_id": key.subscription_id, "lane": key.lane, **position_params(position)}
    yield Statement("insert_advance", {**params, "floor_id": floor_id, "passed": passed})


def position_params(position: Position) -> dict[str, str | int | None]:
    """The position as parameters `done`, `target`, `last_id`."""
    return {
        "done": None if position.done is None else str(position.done),
        "target": None if position.target is None else str(position.target),
        "last_id": position.last_id,
    }


def _guard(key: LaneKey, epoch: int) -> dict[str, int]:
    return {"subscription_id": key.subscription_id, "lane": key.lane, "epoch": epoch}


def _held(rows: object, key: LaneKey, epoch: int) -> None:
    if not rows:
        raise LeaseLost(f"lane {key.lane} of subscription {key.subscription_id} is no longer held at epoch {epoch}")
