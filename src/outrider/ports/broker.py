"""An external system that carries messages, seen by the relay (`Publisher`) and by a consumer (`Subscriber`).

A publisher turns whatever its driver raised into one outcome for each message; exceptions of these calls mean that the call
could not do its work at all. Source: design.md section 5, spec/outbox.md OB-38 to OB-40, OB-66, OB-101.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from outrider.core.envelope import Envelope
from outrider.core.errors import CodecError
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow
from outrider.core.outcome import Published, Refused


class Publisher(Protocol):
    """Publishes for one lane. Clients are made on first use in this process; use in a forked child raises (H59)."""

    prefix_closed: bool
    """Whether the acks of one key are prefix-closed, so that several of a key may be in flight (OB-38)."""

    async def start(self) -> None:
        """Connect, outside any publish deadline. Raises BrokerUnavailable."""
        ...

    def refuse(self, row: LogRow) -> Refused | None:
        """Check locally what the broker would refuse for ever: size, encoding. Called for each row, so it is quick."""
        ...

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:
        """Send `rows` in order and give an outcome for each: those without an entry were acknowledged.

        Whatever has no answer after `deadline_seconds` is Unknown, and nothing of it may reach the broker later. `urgent`
        asks for sending at once instead of lingering for more. Calls may overlap; order is that of the calls. Never
        raises for a message's sake.
        """
        ...

    async def probe(self) -> bool:
        """Ask cheaply whether the broker answers (metadata). Never raises."""
        ...

    async def check(self, topics: Collection[str]) -> Mapping[str, Refused]:
        """Preflight: which destinations can't take messages as they are set up. Raises BrokerUnavailable."""
        ...

    async def close(self) -> None:
        """Flush nothing more, close. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Mark:
    """What a broker's transaction keeps beside the messages, to tell the next owner how far the topic is.

    `offset` is the last log id; `metadata` a short text (OB-101).
    """

    offset: int
    metadata: str


class TransactionalPublisher(Publisher, Protocol):
    """A publisher whose batches and the reader's position are one transaction at the broker, fenced per lane (OB-101)."""

    async def fence(self, lane: LaneKey, earlier: Sequence[LaneKey]) -> Mark | None:
        """Take the lane's transactional id over: owners before are fenced, what they left open is aborted, of this lane
        and of `earlier` ones. Gives the last committed mark, reading stable offsets only, or None where there is none."""
        ...

    async def begin(self) -> None:
        """Begin a transaction. Raises LeaseLost when another owner has fenced this one."""
        ...

    async def commit(self, mark: Mark | None, deadline_seconds: float) -> bool:
        """Commit with `mark`. False when the outcome is not known: fence and read the mark again. Raises LeaseLost."""
        ...

    async def abort(self) -> None:
        """Abort the open transaction. Never raises; an unknown outcome is settled by the next `fence`."""
        ...


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message that arrived: what it says, or why it cannot be understood, and where it lay.

    `coordinates` name its place in the source for ever (`topic/partition/offset`); `envelope` is None where `fault` is set.
    """

    origin: str
    coordinates: str
    topic: str
    key: str | None
    envelope: Envelope | None
    fault: CodecError | None = None
    raw_body: bytes = b""
    raw_headers: Mapping[str, str] | None = None
    token: object = None
    """The source's own handle for acknowledging."""


class Subscriber(Protocol):
    """A consumer's source at a broker. One task at a time."""

    async def start(self, topics: Collection[str], group: str) -> None:
        """Join. Raises BrokerUnavailable, ConfigurationError."""
        ...

    async def receive(self, limit: int, timeout_seconds: float) -> Sequence[ReceivedMessage]:
        """Give up to `limit` messages, or none after `timeout_seconds`. Revoked partitions' messages are no more given."""
        ...

    async def settle(self, messages: Sequence[ReceivedMessage]) -> None:
        """Acknowledge: the settled prefix of each partition is committed, never past a message that was not settled."""
        ...

    async def rewind(self, messages: Sequence[ReceivedMessage]) -> None:
        """Give these, and all behind them in their partitions, again (OB-61)."""
        ...

    def revoked(self, message: ReceivedMessage) -> bool:
        """Whether the partition of `message` was taken away since it was received."""
        ...

    async def pause(self) -> None:
        """Fetch nothing, keep the membership alive (OB-69)."""
        ...

    async def resume(self) -> None:
        """Fetch again."""
        ...

    async def close(self) -> None:
        """Leave the group. Never raises."""
        ...
