"""Steps on `outbox_delivery`: the messages of a subscription that did not go straight through.

Invariant: every change of status is one that `core.delivery.TRANSITIONS` lists, happens in a transaction that has locked
the lane (H49), and leaves no parked row without something in front of it: a head, a held or dead row, a pause (OB-42).
Only heads are searched, so a pile behind one key costs a look-up nothing (H53). Shared parameters: `subscription_id`,
`lane`, `lanes`, `log_id` int; times are the database's, given as delays. Source: spec/outbox.md OB-25, OB-37 to OB-42.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from outrider.core.delivery import BLOCKING, Event, Status, transition
from outrider.core.errors import InvariantViolated
from outrider.core.identity import key_hash
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Refused
from outrider.core.retry import Bury, RetryAt
from outrider.core.steps import Params, Statement, Steps
from outrider.core.text import clean_text

KeyOf = tuple[str, str]
"""Topic and key: what order is kept for."""

HOLD = "hold"
"""Cause of a dead row that holds its key until a person decides (OB-27)."""

SUSPICIONS = frozenset({"suspect.crash", "suspect.unknown"})
"""Codes of messages that fail without being refused: their first failure is dated all the same."""

COLUMNS = 7  # of a LogRow, in front of a due delivery's own


class Due(NamedTuple):
    """A delivery whose time has come, with its message: the log row, then the delivery's own columns."""

    row: LogRow
    status: Status
    attempts: int
    cause: str
    failing_for: timedelta


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A log message that gets a row of its own: `status` from the start, due `delay` from now or at `due_at`."""

    row: LogRow
    status: Status
    cause: str
    attempts: int = 0
    delay: timedelta | None = None
    due_at: datetime | None = None
    refused: Refused | None = None

    @property
    def blocks(self) -> bool:
        """Whether later messages of its key queue up behind it."""
        return self.status in BLOCKING or (self.status is Status.DEAD and self.cause == HOLD)


@dataclass(slots=True)
class Changes:
    """What became of some deliveries, to be written in one transaction.

    `again` are keys whose queue is decided anew afterwards, each with how many of its parked rows may become due.
    """

    new: list[NewDelivery] = field(default_factory=list)
    delivered: list[Due] = field(default_factory=list)
    retried: list[tuple[Due, RetryAt, Refused | None]] = field(default_factory=list)
    buried: list[tuple[Due, Bury, Refused, bool]] = field(default_factory=list)
    parked: list[tuple[Due, str]] = field(default_factory=list)
    again: dict[KeyOf, int] = field(default_factory=dict)
    pauses: dict[str, Refused] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.new or self.delivered or self.retried or self.buried or self.parked or self.pauses)

    def look_again(self, key: KeyOf | None, promote: int = 1) -> None:
        """Decide the queue of `key` anew after the write."""
        if key is not None:
            self.again[key] = max(promote, self.again.get(key, 0))


@dataclass(frozen=True, slots=True)
class Written:
    """What a write left: how many rows it made due, and the keys that nothing holds any more."""

    promoted: int
    cleared: frozenset[KeyOf]


def key_of(row: LogRow) -> KeyOf | None:
    """The topic and key of a row, None where it has no key."""
    return None if row[3] is None else (parse_kind(row[2]).topic, row[3])


def read_due(key: LaneKey, lanes: int, limit: int) -> Steps[list[Due]]:
    """Read at most `limit` deliveries that are due, by id.

    Statement `due_deliveries`, params `subscription_id`, `lane`, `lanes`, `limit` → rows of a LogRow's seven columns,
    `status`, `attempts`, `cause`, microseconds since its first failure (0 where there was none). Those due longest
    come first; a row's `extra` has `deliver_at` and `generation`.
    """
    rows = yield Statement("due_deliveries", {**_lane(key), "lanes": lanes, "limit": limit})
    if len(rows) > limit:
        raise InvariantViolated("more rows than asked for")
    due = [Due(row[:COLUMNS], Status(row[7]), row[8], row[9], timedelta(microseconds=row[10])) for row in rows]
    due.sort(key=lambda one: one.row[0])
    return due


def read_blocked(key: LaneKey, lanes: int) -> Steps[set[KeyOf]]:
    """Read the keys of the lane that have an unfinished, not merely waiting row, or a dead one that holds its key.

    Statement `blocked_keys`, params `subscription_id`, `lane`, `lanes` → rows `(topic, key)`.
    """
    rows = yield Statement("blocked_keys", {**_lane(key), "lanes": lanes})
    return {(row[0], row[1]) for row in rows}


def count_parked(subscription_id: int, limit: int) -> Steps[int]:
    """Count the parked rows of a subscription, at most to `limit`.

    Statement `count_parked`, params `subscription_id`, `limit` → one row `(count,)`.
    """
    rows = yield Statement("count_parked", {"subscription_id": subscription_id, "limit": limit})
    return int(rows[0][0])


def release_topics(
    key: LaneKey, lanes: int, broker: str | None, passed_by: Iterable[str], limit: int
) -> Steps[tuple[int, bool]]:
    """Make due, at most `limit` for each topic, the lowest parked row of each key that nothing stands in front of.

    Topics in `passed_by` and what a pause holds stay parked. Gives how many became due, and whether there may be more.
    Statements: `parked_topics`, params `subscription_id`, `lane`, `lanes` → rows `(topic,)`; `release_heads`, those and
    `topic`, `broker`, `limit` → a row for each one made due. In a transaction that has locked the lane.
    """
    rows = yield Statement("parked_topics", {**_lane(key), "lanes": lanes})
    promoted, more, skipped = 0, False, set(passed_by)
    for (topic,) in rows:
        if topic in skipped:
            continue
        params = {**_lane(key), "lanes": lanes, "topic": topic, "broker": broker or "", "limit": limit}
        released = yield Statement("release_heads", params)
        promoted += len(released)
        more = more or len(released) >= limit
    return promoted, more


def write_changes(key: LaneKey, changes: Changes, broker: str | None) -> Steps[Written]:
    """Write `changes`, then decide the queues of the touched keys anew. In a transaction that has locked the lane.

    Statements, each `many`: `insert_delivery` (a row that is there already takes the new decision) with `message_id`,
    `topic`, `message_key`, `key_hash`, `status`, `cause`, `attempts`, `max_retry`, `delay` or `due_at`, `failed` bool,
    `error_code`, `last_error`; `finish_delivery`; `retry_delivery` with `attempts`, `delay`, `cause`, `failed`,
    `error_code`, `last_error`; `bury_delivery` with `attempts`, `cause`, `error_code`, `last_error`; `park_delivery`
    with `cause`; `park_followers` (due rows of a key above `log_id` go behind it) with `topic`, `message_key`, `log_id`.
    """
    for topic, refused in changes.pauses.items():
        params = {"broker": broker or "", "topic": topic, "code": refused.code, "reason": clean_text(refused.reason)}
        yield Statement("insert_automatic_pause", params)
    yield from insert_new(key, changes.new)
    yield from _write("finish_delivery", [_finished(key, due) for due in changes.delivered])
    yield from _write("retry_delivery", [_retried(key, *one) for one in changes.retried])
    yield from _write("bury_delivery", [_buried(key, *one) for one in changes.buried])
    yield from _write("park_delivery", [_parked(key, due, cause) for due, cause in changes.parked])
    stopped = [due for due, _, _ in changes.retried] + [due for due, _ in changes.parked]
    yield from _write("park_followers", [_followers(key, due) for due in stopped if due.row[3] is not None])
    return (yield from decide_queues(key, changes.again, broker))


def release_next(key: LaneKey, lanes: int, broker: str | None, topic: str) -> Steps[int | None]:
    """Make due the lowest parked row of `topic` whose key nothing stands in front of, and give its log id: `release_heads`.
    In a transaction that has locked the lane.
    """
    params = {**_lane(key), "lanes": lanes, "topic": topic, "broker": broker or "", "limit": 1}
    rows = yield Statement("release_heads", params)
    return int(rows[0][0]) if rows else None


def insert_new(key: LaneKey, new: Sequence[NewDelivery]) -> Steps[None]:
    """Write rows of log messages: `insert_delivery`, see `write_changes`. In a transaction that has locked the lane."""
    yield from _write("insert_delivery", [_inserted(key, one) for one in new])


def decide_queues(key: LaneKey, again: dict[KeyOf, int], broker: str | None) -> Steps[Written]:
    """Make the next parked rows of each key due where nothing stands in front of them.

    Statements: `key_queues`, `many` of `topic`, `message_key`, `broker` → rows `(topic, key, blocked, parked)`, where
    `blocked` says that a due row, a held dead one or a pause stands there, `parked` that rows are parked;
    `promote_parked`, `many` of `topic`, `message_key`, `limit` → a row for each one made due, the lowest ids.
    """
    if not again:
        return Written(0, frozenset())
    common = {"subscription_id": key.subscription_id, "broker": broker or ""}
    asked = [{**common, "topic": topic, "message_key": name} for topic, name in again]
    queues = yield Statement("key_queues", many=asked)
    ready = [(topic, name) for topic, name, blocked, parked in queues if parked and not blocked]
    promoted = 0
    if ready:
        sets = [{**common, "topic": topic, "message_key": name, "limit": again[topic, name]} for topic, name in ready]
        promoted = len((yield Statement("promote_parked", many=sets)))
    return Written(promoted, frozenset((row[0], row[1]) for row in queues if not row[2] and not row[3]))


def _write(name: str, sets: Sequence[Params]) -> Steps[None]:
    if sets:
        yield Statement(name, many=sets)


def _lane(key: LaneKey) -> dict[str, int]:
    return {"subscription_id": key.subscription_id, "lane": key.lane}


def _row(key: LaneKey, row: LogRow) -> dict[str, int]:
    return {"subscription_id": key.subscription_id, "log_id": row[0]}


def _error(refused: Refused | None) -> dict[str, str | None]:
    if refused is None:
        return {"error_code": None, "last_error": None}
    return {"error_code": refused.code, "last_error": clean_text(refused.reason)}


def _inserted(key: LaneKey, new: NewDelivery) -> Params:
    row, kind = new.row, parse_kind(new.row[2])
    message_id = UUID(row[1])
    return {
        **_row(key, row),
        "message_id": message_id,
        "topic": kind.topic,
        "message_key": row[3],
        "key_hash": key_hash(row[3], message_id),
        "status": str(new.status),
        "cause": new.cause,
        "attempts": new.attempts,
        "max_retry": kind.max_retry,
        "delay": new.delay,
        "due_at": new.due_at,
        "failed": new.attempts > 0 or (new.refused is not None and new.refused.code in SUSPICIONS),
        **_error(new.refused),
    }


def _finished(key: LaneKey, due: Due) -> Params:
    transition(due.status, Event.DELIVERED)
    return _row(key, due.row)


def _retried(key: LaneKey, due: Due, at: RetryAt, refused: Refused | None) -> Params:
    transition(due.status, Event.RETRY)
    counted = at.attempts > due.attempts
    cause = "refused" if counted else due.cause
    failed = counted or (refused is not None and refused.code in SUSPICIONS)
    return {**_row(key, due.row), "attempts": at.attempts, "delay": at.due, "cause": cause, "failed": failed} | _error(
        refused
    )


def _buried(key: LaneKey, due: Due, bury: Bury, refused: Refused, hold: bool) -> Params:
    transition(due.status, Event.BURIED)
    cause = HOLD if hold else "refused"
    return {**_row(key, due.row), "attempts": bury.attempts, "cause": cause} | _error(refused)


def _parked(key: LaneKey, due: Due, cause: str) -> Params:
    transition(due.status, Event.BLOCKED)
    return {**_row(key, due.row), "cause": cause}


def _followers(key: LaneKey, due: Due) -> Params:
    return {**_row(key, due.row), "topic": parse_kind(due.row[2]).topic, "message_key": due.row[3]}
