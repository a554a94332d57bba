"""Steps that change a subscription's number of lanes while it is read.

A change is *wanted*: a fact in the meta table. The owners hand their lanes over, and whoever looks when all are free does the
next thing. Raised to a whole multiple, each new lane begins where the one that had its keys stands. Any other change needs a
common position first: a *goal* is set, the lanes are taken once more, read up to it and no further, and given back.

Invariant: the number, the positions and the epochs change in one transaction under the locks of all lanes, none of them held;
whoever dies in between leaves a fact behind, and another goes on. Source: spec/outbox.md OB-45; hazard H48.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from outrider.core.cursors import note_advance, parse_position, position_params
from outrider.core.errors import OperationRefused
from outrider.core.lane import Cursor, LaneKey, Subscription
from outrider.core.meta import read_meta, write_meta
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Row, Statement, Steps
from outrider.core.subscriptions import find_subscription

LANES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class LaneChange:
    """`lanes` are wanted; `goal` is where every lane must stand first, None while lanes are being handed over.

    `left` are the lanes that nobody holds and that do not stand there; `ready` says that all stand there and are free.
    """

    lanes: int
    goal: Position | None = None
    left: tuple[int, ...] = ()
    ready: bool = False

    @classmethod
    def parse(cls, text: str) -> "LaneChange":
        """Read the fact: the number, and behind a blank the goal, a snapshot or on a storage with one writer an id."""
        lanes, _, goal = text.partition(" ")
        return cls(int(lanes), goal_of(goal) if goal else None)


def goal_of(text: str) -> Position:
    """The position that a goal's text means."""
    if ":" not in text:
        return Position(last_id=int(text))
    snapshot = Snapshot.parse(text)
    return Position(snapshot, snapshot)


def stands_at(position: Position, goal: Position) -> bool:
    """Whether all up to `goal` has been read, and nothing behind it."""
    if goal.done is None:
        return position.last_id == goal.last_id
    return position.exhausted and position.done == goal.done


def can_reach(position: Position, goal: Position) -> bool:
    """Whether `goal` lies ahead of `position`, or there."""
    if goal.done is None or position.target is None:
        return position.last_id <= goal.last_id
    return goal.done.covers(position.target)


def want_lanes(name: str, lanes: int) -> Steps[Subscription]:
    """Want `lanes` of the subscription `name`; as many as it has calls a change off. Gives it as it is. In a transaction.

    Raises OperationRefused.
    """
    found = yield from check_lanes(name, lanes)
    yield from write_meta(_fact(name), "" if lanes == found.lanes else str(lanes))
    return found


def check_lanes(name: str, lanes: int) -> Steps[Subscription]:
    """The subscription, where it may have that many lanes. Raises OperationRefused."""
    found = yield from find_subscription(name)
    if found is None or found.kind == "sweeper":
        raise OperationRefused(f"no subscription {name!r} has lanes to change: see  outrider cursor show")
    if not 1 <= lanes <= LANES_MAX:
        raise OperationRefused(f"a subscription has 1 to {LANES_MAX} lanes")
    return found


def find_change(name: str) -> Steps[LaneChange | None]:
    """The change that is wanted, if any."""
    text = (yield from read_meta()).get(_fact(name))
    return LaneChange.parse(text) if text else None


def follow(name: str, *, drain: bool = False, fenced: bool = True) -> Steps[tuple[Subscription, LaneChange | None]]:
    """Do the next thing of a change that is wanted, if all lanes are free; give the subscription and what is still wanted.

    `drain`: never copy positions, since the broker has marks of its own of each lane; then nothing changes until the earlier
    owners of all lanes are `fenced` there (OB-101). In a transaction.
    Statements: `lock_lanes` (subscription_id) → rows (lane, held, done, target, last_id, high_id, floor_id, cluster, epoch,
    passed) under locks; `read_end` () → (text of the goal for what is visible now, None where no position is needed);
    `delete_lanes` (subscription_id); `insert_lane` `many` (subscription_id, lane, position, high_id, floor_id, cluster,
    epoch, passed); `set_lanes` (subscription_id, lanes); `delete_advances` (subscription_id).
    """
    found = yield from find_subscription(name)
    if found is None:
        raise OperationRefused(f"no subscription {name!r} reads this log")
    if (yield from find_change(name)) is None:
        return found, None
    rows = yield Statement("lock_lanes", {"subscription_id": found.id})
    change = yield from find_change(name)  # as it is under the locks
    found = replace(found, lanes=len(rows))
    if change is None:
        return found, None
    lanes = [_cursor(found, row) for row in rows]
    if any(row[1] for row in rows):
        return found, _with_left(change, [one for one, row in zip(lanes, rows, strict=True) if not row[1]])
    if drain or change.lanes % found.lanes:
        goal = change.goal
        if goal is None or not all(can_reach(one.position, goal) for one in lanes):
            ends = yield Statement("read_end")
            goal = None if ends[0][0] is None else goal_of(ends[0][0])
            yield from write_meta(_fact(name), f"{change.lanes} {ends[0][0] or ''}".rstrip())
        if goal is not None and not all(stands_at(one.position, goal) for one in lanes):
            return found, _with_left(LaneChange(change.lanes, goal), lanes)
        if drain and not fenced:
            return found, LaneChange(change.lanes, goal, ready=True)
        yield from _write(found, merged(lanes, change.lanes, goal), anew=range(change.lanes))
    else:
        yield from _write(found, copied(lanes, change.lanes), anew=range(found.lanes, change.lanes))
    yield from write_meta(_fact(name), "")
    return replace(found, lanes=change.lanes), None


def copied(lanes: Sequence[Cursor], number: int) -> list[Cursor]:
    """The cursors of a whole multiple of lanes: each new one stands where the one stands that had its keys."""
    epoch, was = _epoch(lanes), len(lanes)
    return [
        replace(lanes[lane % was], key=lanes[0].key._replace(lane=lane), epoch=epoch,
                passed=lanes[lane].passed if lane < was else 0)
        for lane in range(number)
    ]  # fmt: skip


def merged(lanes: Sequence[Cursor], number: int, goal: Position | None) -> list[Cursor]:
    """The cursors of any number of lanes, which all stood at `goal`: all stand there."""
    high_id = max(one.high_id for one in lanes)
    position = replace(goal or Position(), last_id=max(one.position.last_id for one in lanes) if goal else 0)
    total = sum(one.passed for one in lanes)
    return [
        replace(lanes[0], key=lanes[0].key._replace(lane=lane), epoch=_epoch(lanes), position=position, high_id=high_id,
                floor_id=max(one.floor_id for one in lanes), passed=0 if lane else total)
        for lane in range(number)
    ]  # fmt: skip


def _with_left(change: LaneChange, free: Sequence[Cursor]) -> LaneChange:
    goal = change.goal
    if goal is None:
        return change
    return replace(change, left=tuple(one.key.lane for one in free if not stands_at(one.position, goal)))


def _write(found: Subscription, lanes: Sequence[Cursor], anew: range) -> Steps[None]:
    """Write all cursors; the journals of the lanes `anew` begin here: where keys move, an old row is no longer true."""
    yield Statement("delete_lanes", {"subscription_id": found.id})
    sets = [
        {"subscription_id": found.id, "lane": one.key.lane, **position_params(one.position), "high_id": one.high_id,
         "floor_id": one.floor_id, "cluster": one.cluster, "epoch": one.epoch, "passed": one.passed}
        for one in lanes
    ]  # fmt: skip
    yield Statement("insert_lane", many=sets)
    yield Statement("set_lanes", {"subscription_id": found.id, "lanes": len(lanes)})
    if anew.start == 0:
        yield Statement("delete_advances", {"subscription_id": found.id})
    for lane in anew:
        one = lanes[lane]
        yield from note_advance(one.key, one.position, one.floor_id, one.passed)


def _cursor(found: Subscription, row: Row) -> Cursor:
    lane, _, done, target, last_id, high_id, floor_id, cluster, epoch, passed = row
    return Cursor(
        LaneKey(found.id, lane), found.lanes, parse_position(done, target, last_id), high_id, floor_id, cluster, epoch,
        0, None, passed,
    )  # fmt: skip


def _epoch(lanes: Sequence[Cursor]) -> int:
    return max(one.epoch for one in lanes) + 1


def _fact(name: str) -> str:
    return f"lanes.{name}"
