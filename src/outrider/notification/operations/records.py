"""Looking at records, and what a person may do with them. Source: spec/notification.md NT-47, §12, T12, T15, T16."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from outrider.core.audit import write
from outrider.core.errors import NotificationNotFound, OperationRefused
from outrider.core.identity import uuid_from_text
from outrider.core.pages import Page, page
from outrider.core.steps import Steps
from outrider.notification.operations.views import RecordView, view_of
from outrider.notification.record import Record
from outrider.notification.reopening import ReplayMode
from outrider.notification.sender import Desk
from outrider.notification.states import Status
from outrider.notification.store import acting, rows
from outrider.notification.store.acting import Version
from outrider.notification.store.attempts import Attempt, read_attempts
from outrider.notification.store.listing import RecordFilter, list_records, oldest_first
from outrider.notification.store.replaying import count_replayable, replay_matching
from outrider.runtime.sessions import SessionPool

BATCH: Final = 200
"""Records of one replaying transaction."""
COUNT_MAX: Final = 10_000
"""A dry run counts so far, and then says where to go on."""
ANY: Final = RecordFilter()
Told = Literal[Status.SENT, Status.DEAD]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many records were sent again, or would be; `left` matched and may not be. `next_cursor` leads on, None at the
    end.
    """

    count: int
    left: int
    next_cursor: str | None


class RecordOperations:
    """Records of all recipients. `actor` is who is named in the audit table. All calls raise StorageUnavailable."""

    def __init__(self, desk: Desk, sessions: SessionPool, actor: str) -> None:
        self._desk, self._sessions, self._actor = desk, sessions, actor

    async def get(self, record_id: UUID, *, texts: bool = False) -> RecordView:
        """One, with its attempts; texts and bodies only where they are asked for. Raises NotificationNotFound."""
        record, attempts = await self._sessions.transact(_read(record_id))
        return view_of(record, attempts, texts=texts)

    async def search(
        self, wanted: RecordFilter = ANY, *, cursor: str | None = None, limit: int = 50, texts: bool = False
    ) -> Page[RecordView]:
        """Records, newest first, at most 200 a page. Raises OperationRefused for another limit or a foreign cursor."""
        found = await self._sessions.run(list_records(wanted, place(cursor), limit + 1))
        return page([view_of(one, texts=texts) for one in found], limit, lambda last: str(last.id))

    async def cancel(self, record_id: UUID, reason: str = "") -> RecordView:
        """Withdraw one that waits (T12). Raises StateConflict for any other, NotificationNotFound."""
        rules = self._desk.rules
        after = await self._change(record_id, lambda: acting.cancel(rules, record_id), "cancel", reason)
        self._desk.telling.ended(after)
        return view_of(after)

    async def replay(
        self, record_id: UUID, mode: ReplayMode, *, seen: Version | None = None, reason: str = ""
    ) -> RecordView:
        """Send an ended one again (T15): `resume` the same message, `resend` a second one.

        Raises StateConflict where the mode may not be used, VersionMismatch where it is not as `seen`, NotificationNotFound.
        """
        rules = self._desk.rules
        steps = lambda: acting.replay(rules, record_id, mode, seen)  # noqa: E731  one step, handed on
        after = await self._change(record_id, steps, f"replay {mode}", reason)
        self._desk.telling.replayed(after, mode)
        return view_of(after)

    async def replay_matching(
        self,
        wanted: RecordFilter,
        mode: ReplayMode,
        *,
        dry_run: bool = False,
        cursor: str | None = None,
        reason: str = "",
    ) -> Replayed:
        """Send again what matches, oldest first, at most 200 in one transaction; go on with `next_cursor`.

        A `dry_run` counts, up to 10,000. What may not be replayed in this mode is left alone. Raises OperationRefused
        without any filter.
        """
        if wanted.is_empty:
            raise OperationRefused("a replay of everything is never meant: give at least one filter")
        behind, rules = place(cursor), self._desk.rules
        if dry_run:
            return await self._counted(wanted, mode, behind)
        done, left, last = await self._sessions.transact(
            self._audited(wanted, mode, replay_matching(rules, wanted, mode, behind, BATCH), reason)
        )
        for record in done:
            self._desk.telling.replayed(record, mode)
        return Replayed(len(done), left, None if last is None else str(last))

    async def resolve(self, record_id: UUID, status: Told, note: str, *, seen: Version | None = None) -> RecordView:
        """Say what became of an `unknown` one (T16). Errors as `replay`."""
        rules = self._desk.rules
        steps = lambda: acting.resolve(rules, record_id, status, note, seen)  # noqa: E731  the same
        after = await self._change(record_id, steps, f"resolve {status}", note)
        self._desk.telling.resolved(after, "person")
        return view_of(after)

    async def _change(
        self, record_id: UUID, steps: Callable[[], Steps[Record | None]], verb: str, reason: str
    ) -> Record:
        def audited() -> Steps[Record]:
            after = yield from steps()
            if after is None:
                raise NotificationNotFound("record", record_id)
            said = {"id": str(record_id), "generation": str(after.generation)}
            yield from write(self._actor, f"notify {verb}", said, 1, reason)
            return after

        return await self._sessions.transact(audited())

    def _audited(
        self,
        wanted: RecordFilter,
        mode: ReplayMode,
        steps: Steps[tuple[list[Record], int, UUID | None]],
        reason: str,
    ) -> Steps[tuple[list[Record], int, UUID | None]]:
        done, left, last = yield from steps
        if done:
            yield from write(self._actor, f"notify replay {mode}", wanted.said(), len(done), reason)
        return done, left, last

    async def _counted(self, wanted: RecordFilter, mode: ReplayMode, behind: UUID | None) -> Replayed:
        count = left = 0
        while True:
            found = await self._sessions.run(oldest_first(wanted, behind, BATCH))
            now = await self._sessions.run(rows.read_clock())
            may = count_replayable(self._desk.rules, found, mode, now)
            count, left = count + may, left + len(found) - may
            behind = found[-1].id if len(found) == BATCH else None
            if behind is None or count + left >= COUNT_MAX:
                return Replayed(count, left, None if behind is None else str(behind))


def place(cursor: str | None) -> UUID | None:
    """The id that a cursor names. Raises OperationRefused for a text that no page gave."""
    try:
        return None if cursor is None else uuid_from_text(cursor)
    except ValueError:
        raise OperationRefused("this cursor is not one that a page gave") from None


def _read(record_id: UUID) -> Steps[tuple[Record, list[Attempt]]]:
    record = yield from rows.read(record_id)
    if record is None:
        raise NotificationNotFound("record", record_id)
    return record, (yield from read_attempts(record_id))
