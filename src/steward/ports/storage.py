"""The database: rows read and written in transactions, one person's at a time.

Invariant: what one transaction wrote, messages included, is seen together or not at all; a person's rows are written under
that person's lock alone. Source: spec/scheduling.md ST-3, ST-4, ST-5, ST-46, ST-47.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar

from steward.domain.facts import Fact
from steward.ports.rows.answer import ApplyRow, DialogueRow, FeedbackRow, RequestRow
from steward.ports.rows.calendar import CalendarRow, EventRow, SourceRow, TaskRow
from steward.ports.rows.person import LinkRow, ModelUseRow, SignInRow, TokenRow, UserRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow

Row = (
    ApplyRow
    | CalendarRow
    | DialogueRow
    | EventRow
    | FeedbackRow
    | JobRow
    | LinkRow
    | ModelUseRow
    | PreviewRow
    | RequestRow
    | SignInRow
    | SourceRow
    | TaskRow
    | TokenRow
    | TriggerRow
    | UserRow
)
R = TypeVar("R", bound=Row)
T = TypeVar("T")
Leased = TypeVar("Leased", JobRow, SourceRow, TriggerRow)


@dataclass(frozen=True, slots=True)
class Is:
    """A condition on a column that equality does not say: `Is("<", now)`; `Is("in", (...))`; a NULL meets none of them.

    None by itself, where a value is asked for, means IS NULL; `Is("not null")` its opposite.
    """

    operator: Literal["<", "<=", ">", ">=", "!=", "in", "not null"]
    value: object = None


Where = Mapping[str, object]
"""Columns and what they equal, or an `Is`; all must hold."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message of §14: its body, and the id of its row, of which with the type its message id is computed (ST-65).

    `trace_id` becomes the correlation id, `traceparent` and `causation_id` go as they are (ST-66).
    """

    type: str
    user_id: str
    row_id: str
    body: Mapping[str, Any]
    trace_id: str | None = None
    traceparent: str | None = None
    causation_id: str | None = None


class Reading(Protocol):
    """One read transaction: every read in it sees the same moment."""

    @property
    def now(self) -> datetime:
        """The database's clock when the transaction began (ST-5)."""
        ...

    async def one(self, kind: type[R], where: Where) -> R | None:
        """The row, or None. The caller names columns of a unique key, or is content with any one that fits."""
        ...

    async def all(self, kind: type[R], where: Where, *, order: Sequence[str] = (), limit: int | None = None) -> list[R]:
        """The rows that fit, in the order of these columns, `-column` falling."""
        ...

    async def count(self, kind: type[Row], where: Where) -> int:
        """How many rows fit."""
        ...


class Writing(Reading, Protocol):
    """One transaction that writes. Leaving it by an exception takes everything back."""

    async def insert(self, row: Row) -> None:
        """Write a new row; `created_at` and `updated_at` are the transaction's `now` where the row has none. Raises Taken."""
        ...

    async def insert_all(self, rows: Sequence[Row]) -> None:
        """Write many of one kind in one statement. Raises Taken."""
        ...

    async def change(self, kind: type[Row], where: Where, values: Mapping[str, object]) -> int:
        """Give these columns these values (`Raise()` adds to one) in every row that fits: how many did. Raises Taken."""
        ...

    async def change_each(self, kind: type[Row], changes: Sequence[tuple[Where, Mapping[str, object]]]) -> int:
        """Change many of one kind in one call, each by its own equalities and to its own plain values, of the same columns.

        Gives how many rows changed in all. Raises Taken.
        """
        ...

    async def delete(self, kind: type[Row], where: Where, *, limit: int | None = None) -> int:
        """Delete rows that fit: how many were."""
        ...

    async def add(self, *messages: OutgoingMessage) -> None:
        """Add messages to the outbox in this transaction (ST-4), in this order and in one round trip."""
        ...

    def tell(self, fact: Fact) -> None:
        """Tell telemetry of this once the transaction has committed; never, where it is taken back."""
        ...

    async def savepoint(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work so that an exception in it takes back only what it wrote, and is raised."""
        ...


@dataclass(frozen=True, slots=True)
class Raise:
    """A value for `change`: the column becomes itself plus `by`."""

    by: int = 1


class Storage(Protocol):
    """The database as services see it. A lost connection or a failed commit raises Unavailable."""

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Do the work in one read transaction, then close it; inside `at_one_moment` in the one that is open there."""
        ...

    async def at_one_moment(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work so that every `read` of it sees the same moment, in one transaction that the first of them begins.

        It holds for the task that asked, and ends with the work, which therefore waits for nothing but the database (ST-3)
        and writes nothing: `change`, `write`, `take` and `give_back` raise RuntimeError there (ST-62).
        """
        ...

    async def note(self, work: Callable[[Writing], Awaitable[object]]) -> None:
        """Write what no answer depends on, as `write` does; inside `at_one_moment` when that has ended well.

        Where another is in the way it is left out. Raises Unavailable.
        """
        ...

    async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Do the work in one transaction under this person's lock, and commit (ST-47).

        The lock is waited for 5 s, then Busy. A deadlock or serialisation failure does the whole work again, up to three
        times (ST-46): the work must have no effect but on the transaction. Raises Busy, Unavailable, NoSuchPerson.
        """
        ...

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """The same without a person's lock: new persons, tokens, links, sign-ins, counters (what ST-47 does not name)."""
        ...

    async def take(
        self, kind: type[Leased], statuses: Sequence[str], owner: str, lease: timedelta, limit: int
    ) -> list[Leased]:
        """Lease due rows of this kind whose lease is free or over, the longest due first, skipping locked ones, and commit.

        Due by `next_scan_at` (jobs), `next_try_at` (triggers), `next_refresh_at` (sources, which have no status). Each
        comes back with its epoch raised; a trigger also with attempts + 1 and status `processing` (ST-21).
        """
        ...

    async def give_back(
        self, kind: type[Leased], row: Leased, due_at: datetime | None, *, counted: bool = True
    ) -> bool:
        """End the lease that `row` was taken under and, where `due_at` is given, make it due then; False if it was lost.

        `counted=False` takes back the attempt of a trigger.
        """
        ...

    async def next_due(self, kind: type[Leased], statuses: Sequence[str]) -> timedelta | None:
        """How long until the next row of this kind falls due, by the database's clock; None where none waits."""
        ...


class StorageProblem(Exception):
    """Base of what the database may answer."""


class Taken(StorageProblem):
    """A unique key holds this value already; `key` has the names of its columns."""

    def __init__(self, key: tuple[str, ...]) -> None:
        super().__init__(key)
        self.key = key


class Busy(StorageProblem):
    """Another change of this person's rows held the lock for 5 seconds."""


class Unavailable(StorageProblem):
    """The database is away, or did not answer a commit: whether it took place is to be read again."""


class NoSuchPerson(StorageProblem):
    """There is no calendar row for this user id."""
