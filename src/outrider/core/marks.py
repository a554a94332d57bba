"""The mark that a broker's transaction keeps beside its messages, and what the next owner of the lane makes of it.

Invariant: a mark counts only for the tick that the cursor row holds, so an old one never moves a lane back or forward.
Metadata: `HASH:LAST_ID:MESSAGE_ID:ID.GENERATION,…`; the hash is SHA-256 of the tick's two snapshots, empty on a storage with
one writer; the list names the deliveries of a transaction of their own. Source: spec/outbox.md OB-101.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from outrider.core.errors import ForeignPosition
from outrider.core.lane import Cursor, Subscription
from outrider.core.meta import read_meta, write_meta
from outrider.core.position import Position
from outrider.core.steps import Statement, Steps

DUE_MAX: Final = 200
"""Deliveries in one transaction: their ids must fit into the metadata (4,000 bytes are kept)."""


@dataclass(frozen=True, slots=True)
class MarkText:
    """What the metadata says: the tick's hash, the last log id and its message id, and deliveries (id, generation)."""

    tick: str
    last_id: int
    message_id: str
    due: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        due = ",".join(f"{log_id}.{generation}" for log_id, generation in self.due)
        return f"{self.tick}:{self.last_id}:{self.message_id}:{due}"

    @classmethod
    def parse(cls, text: str) -> "MarkText":
        """Read the metadata. Raises ValueError for anything else."""
        tick, last_id, message_id, listed = text.split(":")
        pairs = (one.split(".") for one in listed.split(",") if one)
        return cls(tick, int(last_id), message_id, tuple((int(log_id), int(gen)) for log_id, gen in pairs))


def tick_hash(position: Position) -> str:
    """The name of the position's tick."""
    if position.done is None:
        return ""
    return sha256(f"{position.done}\n{position.target}".encode()).hexdigest()


def read_mark(cursor: Cursor, text: MarkText) -> Steps[Position]:
    """Where the lane stands by its cursor and this mark.

    Statement `find_log_message`, params `log_id` → at most one row `(message id text,)`. Raises ForeignPosition where the
    mark is of the cursor's own tick, and its message is not in this log.
    """
    position = cursor.position
    if text.tick != tick_hash(position) or text.last_id <= position.last_id:
        return position
    rows = yield Statement("find_log_message", {"log_id": text.last_id})
    if not rows or rows[0][0] != text.message_id:
        raise ForeignPosition(
            f"the broker's mark of lane {cursor.key.lane} ends at log id {text.last_id}, message {text.message_id},"
            " which is not in this log, so nothing is read. In a restored database run  outrider cursor rebase"
        )
    return position.at(text.last_id)


def note_transactions(subscription: Subscription) -> Steps[None]:
    """Keep in the meta table that the subscription has been published in transactions, in one that has locked the lane."""
    yield from write_meta(_fact(subscription), "1")


def had_transactions(subscription: Subscription) -> Steps[bool]:
    """Whether it ever was: then each owner of a lane ends them before its first publish, whatever the setting says now."""
    return _fact(subscription) in (yield from read_meta())


def _fact(subscription: Subscription) -> str:
    return f"transactions.{subscription.name}"


def unfinished(subscription_id: int, due: Sequence[tuple[int, int]]) -> Steps[list[int]]:
    """Which of these deliveries still wait to be recorded as delivered: unfinished, and of the same generation.

    Statement `find_unfinished`, `many` of `subscription_id`, `log_id`, `generation` → rows `(log_id,)`.
    """
    if not due:
        return []
    sets = [{"subscription_id": subscription_id, "log_id": one, "generation": generation} for one, generation in due]
    rows = yield Statement("find_unfinished", many=sets)
    return [row[0] for row in rows]


def finish(subscription_id: int, log_ids: Sequence[int]) -> Steps[None]:
    """Record these deliveries as delivered, in a transaction that has locked the lane."""
    yield Statement("finish_delivery", many=[{"subscription_id": subscription_id, "log_id": one} for one in log_ids])
