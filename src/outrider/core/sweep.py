"""What was published and never consumed: finding it, judging it, having it sent again.

Invariant: a stretch of the log is compared once, from where the sweeper stands to where the relay stood `redeliver_after`
ago; every miss in it gets a row of the sweeper in the transaction that finds it, before the sweeper's position passes it. A
message is sent again only by a row of the relay's own subscription, made or turned by compare-and-set (OB-41), and receipts
keep its effect single. Source: spec/outbox.md OB-41, OB-74, OB-75.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, Literal, NamedTuple
from uuid import UUID

from outrider.core import cursors
from outrider.core.cursors import parse_position, position_params
from outrider.core.delivery import Event, Status, transition
from outrider.core.lane import LaneKey, Subscription, lane_of
from outrider.core.position import Position
from outrider.core.steps import Params, Statement, Steps
from outrider.core.subscriptions import find_subscription

SWEEPER: Final = "sweeper"
"""Name and kind of the sweeper's subscription."""
MISSING: Final = "consume.missing"
SWEPT: Final = "swept"
"""Cause of a relay's row that the sweeper made."""
ROWS_MAX: Final = 10_000
"""How many undecided rows the sweeper has at most: beyond that it first decides those, rather than copy the log."""
PROGRESS_ROWS: Final = 100_000
"""How far behind the newest message a consumer's newest receipt is looked for."""


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """What becomes of a miss: `rate` is messages a second, `window` log rows compared by one statement."""

    redeliver_after: timedelta = timedelta(minutes=10)
    action: Literal["resend", "alarm"] = "resend"
    max_resends: int = 3
    rate: int = 100
    window: int = 5_000


class Place(NamedTuple):
    """A lane's position with its floor: a row of a cursor or of the journal."""

    position: Position
    floor_id: int


class Misses(NamedTuple):
    """A lane of the relay, a stretch of it, and whose rows the misses in it become."""

    sweeper: LaneKey
    epoch: int
    relay: LaneKey
    lanes: int
    start: Place
    end: Place


class Suspicion(NamedTuple):
    """A sweeper's row whose time has come, with what is known of its message now.

    `missing` are the consumers that have neither receipt nor row; `relay_status` None where it went straight through,
    `settled_for` how long ago the relay's row was done.
    """

    log_id: int
    message_id: UUID
    type: str
    topic: str
    key_hash: int
    status: Status
    resends: int
    missing: frozenset[str]
    relay_status: Status | None
    relay_resolution: str | None
    generation: int
    settled_for: timedelta
    found_for: timedelta


class Verdict(StrEnum):
    """What is done with a suspicion."""

    CONSUMED = "consumed"  # its receipts came
    DISCARDED = "discarded"  # a person gave the message up
    UNPUBLISHED = "unpublished"  # the relay has not sent it, or not for long enough
    BEHIND = "behind"  # nothing later of its lane was consumed: an alarm, judged again
    ALARM = "alarm"  # the same where the setting says alarm
    RESEND = "resend"
    DEAD = "dead"


def judge(found: Suspicion, newest: Mapping[tuple[str, int], int], lanes: int, policy: SweepPolicy) -> Verdict:
    """Decide about one. `newest` is the highest log id consumed, by consumer and lane of the relay."""
    if not found.missing:
        return Verdict.CONSUMED
    if found.relay_resolution == "discarded":
        return Verdict.DISCARDED
    if found.relay_status not in {None, Status.DONE} or found.settled_for < policy.redeliver_after:
        return Verdict.UNPUBLISHED
    lane = lane_of(found.key_hash, lanes)
    if not any(newest.get((consumer, lane), 0) > found.log_id for consumer in found.missing):
        return Verdict.BEHIND
    if policy.action == "alarm":
        return Verdict.ALARM
    return Verdict.DEAD if found.resends >= policy.max_resends else Verdict.RESEND


def is_beyond(end: Place, start: Place) -> bool:
    """Whether `end` lies behind `start` in the log. Positions of one cluster have an order: later snapshots see more."""
    return _rank(end) > _rank(start)


def lowest(places: Sequence[Place]) -> Place:
    """The one that has passed least."""
    return min(places, key=_rank)


def ranges(start: Place, end: Place) -> list[tuple[int, int]]:
    """The transactions whose rows may lie between two places, as [first, last) numbers; one empty range without snapshots."""
    done, target = start.position.done, end.position.target
    if done is None or target is None:
        return [(0, 0)]
    late = [(xid, xid + 1) for xid in done.xip if target.sees(xid)]
    return [*late, (done.xmax, target.xmax)] if target.xmax > done.xmax else late


def expected_here() -> Steps[bool]:
    """Whether receipts of any type's consumers are expected in these tables. Statement `sweep_expected` → (count)."""
    rows = yield Statement("sweep_expected")
    return bool(rows[0][0])


def make_sweeper(relay: Subscription) -> Steps[Subscription | None]:
    """Make the sweeper's subscription, standing where the relay's lanes stand: what was published before is not swept.

    In a transaction. Statements `insert_subscription`; `sweep_places` (subscription_id) → rows (lane, done, target,
    last_id, floor_id, cluster); `insert_sweep_lane` `many` of those columns and `subscription_id`.
    """
    yield Statement("insert_subscription", {"name": SWEEPER, "kind": SWEEPER, "broker": None, "lanes": relay.lanes})
    made = yield from find_subscription(SWEEPER)
    if made is not None:
        rows = yield Statement("sweep_places", {"subscription_id": relay.id})
        yield from _insert_lanes(made.id, {row[0]: (_place(*row[1:5]), row[5]) for row in rows})
    return made


def read_places(sweeper: Subscription) -> Steps[dict[int, Place]]:
    """Where the sweeper stands, by lane. Statement `sweep_places`."""
    rows = yield Statement("sweep_places", {"subscription_id": sweeper.id})
    return {row[0]: _place(*row[1:5]) for row in rows}


def follow_lanes(sweeper: LaneKey, epoch: int, relay: Subscription) -> Steps[None]:
    """Take over the relay's number of lanes: each begins where the hindmost stood, so that nothing is passed over.

    What is compared twice finds its row there already. In a transaction. Statements `sweep_places`; `delete_sweep_lanes`
    (those beyond) and `set_sweep_lanes`, both (subscription_id, lanes); `write_sweep_place`, `insert_sweep_lane` `many`.
    """
    yield from cursors.lock(sweeper, epoch)
    rows = yield Statement("sweep_places", {"subscription_id": sweeper.subscription_id})
    hindmost, cluster = lowest([_place(*row[1:5]) for row in rows]), rows[0][5]
    params = {"subscription_id": sweeper.subscription_id, "lanes": relay.lanes}
    yield Statement("delete_sweep_lanes", params)
    yield Statement("set_sweep_lanes", params)
    known = {row[0] for row in rows}
    for lane in known & set(range(relay.lanes)):
        yield from _write_place(LaneKey(sweeper.subscription_id, lane), hindmost)
    added = {lane: (hindmost, cluster) for lane in range(relay.lanes) if lane not in known}
    yield from _insert_lanes(sweeper.subscription_id, added)


def find_target(relay: LaneKey, redeliver_after: timedelta) -> Steps[Place | None]:
    """Where a lane of the relay stood that long ago, None where nothing says so.

    Statement `sweep_target` (subscription_id, lane, redeliver_after) → at most one row (done, target, last_id, floor_id):
    the newest of the journal as old as that, or the cursor's own if it has not moved since.
    """
    params = {"subscription_id": relay.subscription_id, "lane": relay.lane, "redeliver_after": redeliver_after}
    rows = yield Statement("sweep_target", params)
    return _place(*rows[0]) if rows else None


def next_window(stretch: Misses, after: tuple[int, int], until_xid: int, limit: int) -> Steps[tuple[int, int] | None]:
    """The end (xid, id) of the next at most `limit` log rows behind `after`, None where there are none.

    Statement `sweep_window` (after_xid, after_id, until_xid, end_id, limit) → at most one row (xid text, id).
    """
    params = {"after_xid": str(after[0]), "after_id": after[1], "until_xid": str(until_xid)}
    end_id = max(stretch.end.position.last_id, stretch.end.floor_id)
    rows = yield Statement("sweep_window", {**params, "end_id": end_id, "limit": limit})
    return (int(rows[0][0]), int(rows[0][1])) if rows else None


def find_misses(stretch: Misses, after: tuple[int, int], upto: tuple[int, int], max_resends: int) -> Steps[int]:
    """Compare a window with the receipts and give each miss its row, due now; gives how many. In a transaction.

    Statements `lock_lane`; `insert_misses` with the sweeper's and the relay's `subscription_id`, `lane`, `lanes`, both
    places, the window and `max_resends` → a row for each one made. A message is a miss where a consumer that is expected
    here has neither a receipt nor a row of it.
    """
    yield from cursors.lock(stretch.sweeper, stretch.epoch)
    params: Params = {
        "sweeper_id": stretch.sweeper.subscription_id,
        "lane": stretch.relay.lane,
        "lanes": stretch.lanes,
        **_prefixed("start", stretch.start),
        **_prefixed("end", stretch.end),
        "after_xid": str(after[0]), "after_id": after[1], "upto_xid": str(upto[0]), "upto_id": upto[1],
        "max_resends": max_resends,
    }  # fmt: skip
    rows = yield Statement("insert_misses", params)
    return len(rows)


def move_on(stretch: Misses) -> Steps[None]:
    """The stretch has been compared: the sweeper stands at its end. In a transaction."""
    yield from cursors.lock(stretch.sweeper, stretch.epoch)
    yield from _write_place(LaneKey(stretch.sweeper.subscription_id, stretch.relay.lane), stretch.end)


def count_undecided(sweeper: Subscription) -> Steps[int]:
    """How many rows of the sweeper are undecided. Statement `count_swept` (sweeper_id, limit) → (count)."""
    rows = yield Statement("count_swept", {"sweeper_id": sweeper.id, "limit": ROWS_MAX})
    return int(rows[0][0])


def close_consumed(sweeper: Subscription, limit: int) -> Steps[int]:
    """Close dead rows whose message was consumed after all: a receipt outranks dead.

    Statement `close_swept` (sweeper_id, limit) → a row for each.
    """
    transition(Status.DEAD, Event.DELIVERED)
    rows = yield Statement("close_swept", {"sweeper_id": sweeper.id, "limit": limit})
    return len(rows)


def read_suspicions(sweeper: Subscription, relay: Subscription, limit: int) -> Steps[list[Suspicion]]:
    """The rows whose time has come, those due longest, by log id.

    Statement `sweep_due` (sweeper_id, relay_id, limit) → rows (log_id, message_id, type, topic, key_hash, status, attempts,
    consumers missing joined by commas, relay's status, resolution and generation, microseconds since it was done and since
    the miss was found).
    """
    rows = yield Statement("sweep_due", {"sweeper_id": sweeper.id, "relay_id": relay.id, "limit": limit})
    found = [
        Suspicion(
            log_id, message_id, type_, topic, key_hash, Status(status), resends,
            frozenset(missing.split(",") if missing else ()),
            None if relay_status is None else Status(relay_status), resolution, generation or 0,
            timedelta.max if settled is None else timedelta(microseconds=settled), timedelta(microseconds=age),
        )
        for log_id, message_id, type_, topic, key_hash, status, resends, missing, relay_status, resolution, generation,
        settled, age in rows
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.log_id)


def read_newest(relay: Subscription, after: int) -> Steps[dict[tuple[str, int], int]]:
    """The newest message consumed above log id `after`, by consumer and lane, if it is not too far behind.

    Statement `sweep_newest` (lanes, after, limit) → rows (consumer, lane, log id).
    """
    params = {"lanes": relay.lanes, "after": after, "limit": PROGRESS_ROWS}
    rows = yield Statement("sweep_newest", params)
    return {(consumer, lane): log_id for consumer, lane, log_id in rows}


def decide(
    key: LaneKey,
    epoch: int,
    relay: Subscription,
    judged: Sequence[tuple[Suspicion, Verdict]],
    redeliver_after: timedelta,
) -> Steps[dict[int, int]]:
    """Write what was decided; gives the new generation of what is sent again, by log id. In a transaction.

    Statements: `lock_cursor_of` of the relay's lanes, then `lock_lane`; `resend_delivery`, see `resend`; `many` each:
    `finish_sweep` (log_id, resolution), `bury_sweep` (log_id, error_code, last_error), `defer_sweep` (log_id, attempts,
    delay), all with `sweeper_id`.
    """
    resending = [found for found, verdict in judged if verdict is Verdict.RESEND]
    yield from lock_lanes(relay, [found.key_hash for found in resending])
    yield from cursors.lock(key, epoch)
    sent = yield from resend(relay, {found.log_id: found.generation for found in resending}, SWEPT)
    sets: dict[str, list[Params]] = {"finish_sweep": [], "bury_sweep": [], "defer_sweep": []}
    for found, verdict in judged:
        row = {"sweeper_id": key.subscription_id, "log_id": found.log_id}
        match verdict:
            case Verdict.CONSUMED | Verdict.DISCARDED:
                transition(found.status, Event.DELIVERED)
                resolution = "discarded" if verdict is Verdict.DISCARDED else "delivered"
                sets["finish_sweep"].append({**row, "resolution": resolution})
            case Verdict.DEAD:
                transition(found.status, Event.BURIED)
                said = f"sent again {found.resends} times; no receipt of {', '.join(sorted(found.missing))}"
                sets["bury_sweep"].append({**row, "error_code": MISSING, "last_error": said})
            case _:
                transition(found.status, Event.DEFERRED)
                settled = found.settled_for if verdict is Verdict.UNPUBLISHED else timedelta(0)
                delay = redeliver_after - settled if settled < redeliver_after else redeliver_after
                resends = found.resends + (found.log_id in sent)
                sets["defer_sweep"].append({**row, "attempts": resends, "delay": delay})
    for name, many in sets.items():
        if many:
            yield Statement(name, many=many)
    return sent


def lock_lanes(relay: Subscription, key_hashes: Sequence[int]) -> Steps[None]:
    """Lock the cursor rows of the lanes of these, in order. Statement `lock_cursor_of` (subscription_id, key_hash)."""
    for lane in sorted({lane_of(key_hash, relay.lanes) for key_hash in key_hashes}):
        yield Statement("lock_cursor_of", {"subscription_id": relay.id, "key_hash": lane})


def resend(relay: Subscription, generations: Mapping[int, int], cause: str) -> Steps[dict[int, int]]:
    """Have the relay send messages again, same id, one generation more; gives that, by log id, for those that may be.

    Such a one lies behind the relay's written position, and its row, if it has one, is done or dead and of the generation
    given (OB-41). In a transaction that has locked the relay's lanes. Statement `resend_delivery`, `many` of
    (subscription_id, log_id, generation, cause) → rows (log_id, generation).
    """
    sets = [
        {"subscription_id": relay.id, "log_id": log_id, "generation": generation, "cause": cause}
        for log_id, generation in sorted(generations.items())
    ]
    if not sets:
        return {}
    rows = yield Statement("resend_delivery", many=sets)
    return {int(log_id): int(generation) for log_id, generation in rows}


def _insert_lanes(subscription_id: int, places: Mapping[int, tuple[Place, str]]) -> Steps[None]:
    sets = [
        {"subscription_id": subscription_id, "lane": lane, **_params(place), "cluster": cluster}
        for lane, (place, cluster) in sorted(places.items())
    ]
    if sets:
        yield Statement("insert_sweep_lane", many=sets)


def _write_place(key: LaneKey, place: Place) -> Steps[None]:
    params = {"subscription_id": key.subscription_id, "lane": key.lane, **_params(place)}
    yield Statement("write_sweep_place", params)


def _place(done: str | None, target: str | None, last_id: int, floor_id: int) -> Place:
    return Place(parse_position(done, target, last_id), floor_id)


def _params(place: Place) -> Params:
    return {**position_params(place.position), "floor_id": place.floor_id}


def _prefixed(prefix: str, place: Place) -> Params:
    return {f"{prefix}_{name}": value for name, value in _params(place).items()}


def _rank(place: Place) -> tuple[int, ...]:
    """What grows with what was passed: a later snapshot has a higher end, or fewer that still run below it."""
    position = place.position
    if position.done is None or position.target is None:
        return (max(position.last_id, place.floor_id),)
    done, target = position.done, position.target
    return (done.xmax, -len(done.xip), target.xmax, -len(target.xip), position.last_id)
