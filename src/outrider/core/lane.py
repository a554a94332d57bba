"""Lanes, cursors and leases: who may read which share of a subscription, and until when.

A lane has one cursor and at most one owner; the epoch rises with every owner and fences the one before.
Source: design.md section 4, spec/outbox.md OB-35.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from outrider.core.position import Position

SubscriptionKind = Literal["relay", "handler", "sweeper"]


class LaneKey(NamedTuple):
    """Which lane of which subscription."""

    subscription_id: int
    lane: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """An independent reader of the log: the relay of a broker, or a handler's consumer that reads the log itself."""

    id: int
    name: str
    kind: SubscriptionKind
    broker: str | None
    lanes: int
    types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A lane whose lease has not run out: who has it, under which epoch."""

    lane: int
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A lane's durable row as its new owner read it when taking the lease.

    `high_id` is the highest id ever passed, `floor_id` an id at or below which no row is read again, `cluster` the
    storage's system identifier, `passed` the count of messages that went by, `epoch` the owner's fence.
    """

    key: LaneKey
    lanes: int
    position: Position
    high_id: int
    floor_id: int
    cluster: str
    epoch: int
    starts: int
    marked_id: int | None
    passed: int


def lane_of(key_hash: int, lanes: int) -> int:
    """Give the lane of a key hash (never negative)."""
    return key_hash % lanes


def fair_share(lanes: int, processes: int) -> int:
    """Give how many lanes one of `processes` live processes may hold: the ceiling of the quotient, at least one."""
    return max(1, -(-lanes // max(1, processes)))
