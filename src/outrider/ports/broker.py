"""An external system that carries messages, seen by the relay (`Publisher`) and by a consumer (`Subscriber`).

A publisher turns whatever its driver raised into one outcome for each message; exceptions of these calls mean that the call
could not do its work at all. Source: design.md section 5, spec/outbox.md OB-38 to OB-40, OB-66, OB-101.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

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
        """Connect, outside any publish deadline. Raises BrokerUnavailable; AccessRefused where the broker lets us not in."""
        ...

    def refuse(self, row: LogRow) -> Refused | None:
        """Check locally what the broker would refuse for ever: size, encoding.

        The limit is the smaller of the setting's and the destination's own, where that is known.
        """
        ...

    def takes(self, rows: Sequence[LogRow]) -> bool:
        """Whether `refuse` is sure to refuse none of `rows`. Quick, for every row is asked about; False decides nothing."""
        ...

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:
        """Send `rows` in order and give an outcome for each: those without an entry were acknowledged.

        Whatever has no answer after `deadline_seconds` is Unknown, and nothing of it may reach the broker later. `urgent`
        asks for sending at once instead of lingering for more. Calls may overlap; order is that of the calls. Once an
        outcome is Unknown, every call that was open then, or is begun before those have all returned, gives Unknown for
        what had no outcome yet: a later message must not overtake one that will be sent again. The caller therefore looks
        at what returned before it begins another call. Connecting and looking topics up lie inside the deadline, unless
        `start` or `probe` did it before. A cancelled call leaves nothing behind that is still to be sent. Raises
        ServiceStateError in a forked child, nothing for a message's sake.

        Where the broker says of an acknowledged one that it had it already and kept no second, it is among `copies`; a
        higher `generation` must not count as the same message there (OB-14, H26).
        """
        ...

    async def probe(self) -> bool:
        """Ask cheaply whether the broker answers (metadata). Never raises."""
        ...

    async def check(self, topics: Collection[str]) -> Mapping[str, Refused]:
        """Preflight: which destinations can't take messages as they are set up. Raises BrokerUnavailable."""
        ...

    async def end_transactions(self, lane: LaneKey) -> None:
        """Fence those who published this lane in transactions, and abort what they left open: readers would hang on it.

        Called before the first publish without transactions of a lane that had them, where the caller has just checked
        its lease (OB-101, H58). Does nothing where the broker has none. Raises BrokerUnavailable, and LeaseLost when
        another owner does the same at this time.
        """
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
        and of `earlier` ones. Gives the last committed mark, reading stable offsets only, or None where there is none.

        The caller checks its lease immediately before (H58). Needed before the first `begin`, after any Unknown outcome,
        a `commit` that gave False and a LeaseLost that the lease itself disproves. Raises LeaseLost when another owner
        did the same in between, BrokerUnavailable.
        """
        ...

    async def begin(self) -> None:
        """Begin a transaction. Raises LeaseLost when another owner has fenced this one, which may also show only in the
        outcomes or at `commit`; BrokerUnavailable; ServiceStateError without a `fence`.
        """
        ...

    async def commit(self, mark: Mark | None, deadline_seconds: float) -> bool:
        """Commit with `mark`, after every `publish` of the transaction has returned. Raises LeaseLost.

        False when the outcome is not known, or when a message of it was refused or unknown: `fence` and read the mark
        again. A batch with a refusal is aborted and sent again without that message (H47).
        """
        ...

    async def abort(self) -> None:
        """Abort the open transaction. Never raises; an unknown outcome is settled by the next `fence`."""
        ...


class ReceivedMessage(NamedTuple):
    """One message that arrived: what it says, or why it cannot be understood, and where it lay.

    `origin` names the kind of source (`kafka`), `coordinates` its place there for ever (`topic/partition/offset`).
    `envelope` is None where `fault` is set; only then `raw_body` and `raw_headers` (values as text, what is no UTF-8
    replaced) hold what came, and `key` is the broker's own as far as it can be read.
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
    """A consumer's source at a broker. One task at a time; a cancelled `receive` loses nothing.

    Made and joined in the process that uses it: use in a forked child raises ServiceStateError (H59).
    """

    @property
    def held(self) -> frozenset[str]:
        """The shares of the topics that are this member's at present, `topic/number`; none before they were given to it.

        Changes only within `receive` and `close`. Cheap: asked after every `receive`.
        """
        ...

    async def start(self, topics: Collection[str], group: str) -> None:
        """Join. Raises BrokerUnavailable, AccessRefused, ConfigurationError where a topic is missing or may not be read."""
        ...

    async def receive(self, limit: int, timeout_seconds: float) -> Sequence[ReceivedMessage]:
        """Give up to `limit` messages as soon as there is one, or none after `timeout_seconds`.

        Called again and again even while paused: membership, revocations and commits live here. Messages of a partition
        come in its order. Raises ConfigurationError, BrokerUnavailable after an error that ends the client.
        """
        ...

    async def settle(self, messages: Sequence[ReceivedMessage]) -> None:
        """Acknowledge: the settled prefix of each partition is committed, never past a message that was not settled.

        It may be written later, at the latest by `close` or when the partition goes; of what is revoked, or was settled
        before, nothing happens.
        """
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
