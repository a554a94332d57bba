"""What `Outbox` and `AsyncOutbox` share: everything but the waiting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from outrider.core.adding import Added
from outrider.core.catalog import Catalog
from outrider.core.errors import InvalidMessage, NoTransaction
from outrider.core.events import MessageAdded, TraceDropped
from outrider.core.identity import uuid7
from outrider.core.record import Ambient, OutboxRecord, prepare, trace_dropped
from outrider.outbox.acquaintance import Acquaintance
from outrider.ports.clock import Clock
from outrider.ports.log_writer import LogWriter
from outrider.ports.statements import Texts
from outrider.ports.telemetry import Telemetry
from outrider.ports.tracing import Tracer
from outrider.ports.transaction import Dialect
from outrider.ports.wakeup import Wakeup

RANDOM_BYTES = 10  # of a UUIDv7
LOG_ID_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LogAccess:
    """One dialect's way to a service's log: its queries, and the writer that names them."""

    texts: Texts
    writer: LogWriter


@dataclass(frozen=True, slots=True)
class OutboxParts:
    """All that an outbox is given. `logs` has an entry for each dialect, made when first asked for."""

    catalog: Catalog
    service: str
    logs: Callable[[Dialect], LogAccess]
    clock: Clock
    encode_event: Callable[[object], object]
    ambient: Callable[[], Ambient]
    acquaintance: Acquaintance
    telemetry: Telemetry | None
    wakeup: Wakeup
    max_bytes: int
    default_max_retry: int
    tracer: Tracer | None = None

    def prepare(self, messages: Sequence[object]) -> tuple[list[OutboxRecord], bool]:
        """Check all of `messages`; raises before anything is written. Also says whether all ids are new. Source: OB-9."""
        now = self.clock.now()
        now_ms = int(now.timestamp() * 1000)
        chance = self.clock.random_bytes(RANDOM_BYTES * len(messages))
        catalog, service, encode, ambient = self.catalog, self.service, self.encode_event, self.ambient()
        max_bytes, max_retry = self.max_bytes, self.default_max_retry
        records: list[OutboxRecord] = []
        fresh, dropped = True, 0
        for start, message in zip(range(0, len(chance), RANDOM_BYTES), messages, strict=True):
            new_id = uuid7(now_ms, chance[start : start + RANDOM_BYTES])
            record = prepare(
                message, catalog=catalog, service=service, now=now, encode_event=encode, ambient=ambient,
                new_id=new_id, max_bytes=max_bytes, default_max_retry=max_retry,
            )  # fmt: skip
            fresh = fresh and record.message_id is new_id
            dropped += record.trace is None and trace_dropped(message, ambient)
            records.append(record)
        if dropped and self.telemetry is not None:
            self.telemetry.emit(TraceDropped(self.service, dropped))
        return records, fresh

    @property
    def tracing(self) -> Tracer | None:
        """What spans are made with, where somebody takes them."""
        tracer = self.tracer
        return tracer if tracer is not None and tracer.active else None

    def tell(self, added: Sequence[Added]) -> bool:
        """Emit what was added, where somebody listens; says whether anything is new."""
        created = sum([one.created for one in added])
        if self.telemetry is not None:
            self.telemetry.emit(MessageAdded(self.service, len(added), created))
        return created > 0


def as_id(id: UUID | int) -> UUID | int:  # noqa: A002 - the parameter's name in the spec
    """The id, refused before it reaches the database where it is neither a message id nor a log id."""
    if isinstance(id, UUID):
        return id
    if type(id) is int and 0 <= id <= LOG_ID_MAX:
        return id
    raise InvalidMessage("id", "", "must be a message id (UUID) or a log id (a whole number)")


def access(logs: Mapping[Dialect, Callable[[], LogAccess]]) -> Callable[[Dialect], LogAccess]:
    """`OutboxParts.logs` from a maker for each dialect, each called once."""
    made: dict[Dialect, LogAccess] = {}

    def get(dialect: Dialect) -> LogAccess:
        found = made.get(dialect)
        if found is None:
            maker = logs.get(dialect)
            if maker is None:
                raise NoTransaction(f"no storage is there for {dialect}; there are {', '.join(logs)}")
            found = made[dialect] = maker()
        return found

    return get
