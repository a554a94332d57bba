"""Publishing in the broker's transactions: no duplicate in the topic, whatever dies when.

Invariant: a transaction lies within one tick, which the cursor row holds before its first publish; every exception row of a
message that the transaction's end passes is committed before the transaction is; deliveries that are due have
transactions of their own. What the topic has is read from the broker's mark, never guessed. Source: spec/outbox.md OB-101.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from json import loads
from typing import NamedTuple

from outrider.core import deliveries, marks
from outrider.core.backoff import OutageBackoff, PollBackoff
from outrider.core.deliveries import Changes, Due
from outrider.core.errors import BrokerUnavailable
from outrider.core.events import BatchRead, PublishUnknown, TickOpened
from outrider.core.lane import Cursor, Subscription
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.marks import DUE_MAX, MarkText, tick_hash
from outrider.core.outcome import Unknown
from outrider.core.position import Position
from outrider.core.suspects import ALONE, SILENT_TRIES
from outrider.ports.broker import Mark, TransactionalPublisher
from outrider.ports.clock import Clock
from outrider.ports.log_reader import LogReader
from outrider.ports.storage import StorageSession
from outrider.relay.advance import Writer
from outrider.relay.caution import Caution
from outrider.relay.holds import Holds
from outrider.relay.judge import Judge
from outrider.relay.pipeline import Pipeline
from outrider.relay.publish import SILENT, Lease, Outcomes, Sender
from outrider.relay.settings import WATCH_SECONDS, RelaySettings
from outrider.relay.sort import beside_suspects, sort_due, sort_log
from outrider.relay.suspects import Suspects
from outrider.relay.tell import Tell
from outrider.runtime.supervisor import Supervisor, wait_for_event

BATCHES_MAX = 10
"""Full batches in one transaction."""


class Stopped(Exception):
    """The lane was told to stop, or runs once, while there was no answer."""


class Collected(NamedTuple):
    """What one transaction takes of the log. `full`: as much as it may, so that there may be more of this tick."""

    rows: Sequence[LogRow]
    after: Position
    opened: bool
    full: bool
    seconds: float


class TransactionalLane:
    """The work of one lane: one transaction after another, since those of one producer cannot overlap.

    While the log has work the next one's messages are read meanwhile, by a task of `tasks`.
    """

    def __init__(
        self,
        session: StorageSession,
        log: LogReader,
        subscription: Subscription,
        cursor: Cursor,
        pipeline: Pipeline,
        publisher: TransactionalPublisher,
        sender: Sender,
        lease: Lease,
        judge: Judge,
        writer: Writer,
        holds: Holds,
        caution: Caution,
        suspects: Suspects,
        suspect: int | None,
        settings: RelaySettings,
        clock: Clock,
        tell: Tell,
        tasks: Supervisor,
        *,
        once: bool,
        limit: int | None,
    ) -> None:
        self._session, self._log, self._cursor, self._pipeline = session, log, cursor, pipeline
        self._tasks = tasks
        self._next: asyncio.Task[Collected] | None = None
        self._subscription = subscription
        self._publisher, self._sender, self._lease, self._judge = publisher, sender, lease, judge
        self._writer, self._holds, self._settings, self._clock, self._tell = writer, holds, settings, clock, tell
        self._caution, self._suspects, self._suspect = caution, suspects, suspect
        self._silent_tries = 0
        self._once, self._left = once, limit
        self._position = cursor.position
        self._end = MarkText(tick_hash(cursor.position), cursor.position.last_id, "")
        self._backoff = OutageBackoff(settings.outage_backoff_max.total_seconds())
        self._idle = PollBackoff(settings.poll_min.total_seconds(), settings.poll_max.total_seconds())

    async def run(self) -> None:
        """Work until told to stop, or once."""
        pipeline = self._pipeline
        try:
            await self._take_over()
            while not pipeline.stopping and self._left != 0:
                pipeline.wake.clear()
                if self._holds.lane_paused:
                    if self._once:
                        break
                    self._caution.rest()
                    await wait_for_event(pipeline.wake, WATCH_SECONDS)
                    continue
                worked = await self._due_transaction()
                worked = await self._log_transaction() or worked
                if worked:
                    self._idle.reset()
                elif self._once and not pipeline.release_wanted:
                    break
                else:
                    self._caution.rest()
                    await wait_for_event(pipeline.wake, self._idle.next())
        except Stopped:
            return

    async def _take_over(self) -> None:
        """Fence the owners before, and go on where the broker's mark says that the topic is."""
        await self._writer.guarded(marks.note_transactions(self._subscription))
        mark = await self._fence()
        text = _parse(mark)
        if text is not None:
            await self._go_on_from(text)
        if self._suspect is not None and not self._position.passed(self._suspect, None):
            await self._suspects.park(self._suspect)

    async def _go_on_from(self, text: MarkText) -> None:
        position = await self._session.run(marks.read_mark(self._cursor, text))
        if position != self._position:  # else the mark is of another tick, whose end says nothing of this one
            self._position = position
            self._writer.settled(position, text.last_id, 0)
            self._end = MarkText(tick_hash(position), text.last_id, text.message_id)
        await self._record(text)

    async def _record(self, text: MarkText) -> None:
        """Deliveries of a transaction that committed are delivered, whoever was to write it."""
        subscription_id = self._cursor.key.subscription_id
        left = await self._session.run(marks.unfinished(subscription_id, text.due))
        if left:
            await self._writer.guarded(marks.finish(subscription_id, left))
            self._pipeline.want_release()

    async def _fence(self) -> Mark | None:
        while True:
            await self._lease.wait_until_allowed()
            try:
                return await self._publisher.fence(self._cursor.key, ())
            except BrokerUnavailable as error:
                await self._back_off(error.code, 0)

    async def _log_transaction(self) -> bool:
        """Read up to ten full batches of one tick and publish them in one transaction. Says whether there were any."""
        before = self._position
        rows, after = await self._read()
        if not rows:
            self._position = after
            self._writer.moved(after)
            return False
        if before.exhausted and before.done is not None:
            opened = replace(after, done=before.done, last_id=rows[0][0] - 1, first_id=None)
            await self._writer.write_now(opened)
            self._position = before = opened
        end = MarkText(tick_hash(before), rows[-1][0], rows[-1][1])
        if self._caution.active:
            await self._caution.mark(rows[-1][0], due=False)
        published = await self._publish_rows(rows, end, after)
        self._position, self._end = after, end
        self._writer.settled(after, rows[-1][0], len(rows))
        self._pipeline.tally.published += published
        return True

    async def _read(self) -> tuple[Sequence[LogRow], Position]:
        """Take what comes next, and have what comes behind it read."""
        found = await (self._next or self._collect(self._position))
        self._next = None
        rows, after = found.rows, found.after
        if found.opened and rows and after.target is not None:
            self._tell.lane(TickOpened, target=str(after.target))
        if rows:
            self._left = None if self._left is None else self._left - len(rows)
            self._pipeline.tally.read += len(rows)
            self._tell.lane(BatchRead, messages=len(rows), last_id=rows[-1][0], duration=found.seconds)
        if found.full and self._left is None and not self._caution.active:
            self._next = self._tasks.start(self._collect(after), "read ahead")
        return rows, after

    async def _collect(self, position: Position) -> Collected:
        size, key, lanes, floor = self._settings.batch_size, self._cursor.key, self._cursor.lanes, self._cursor.floor_id
        rows: list[LogRow] = []
        started, opened, full = self._clock.boottime(), False, True
        if self._caution.active:
            size = 1
        for _ in range(1 if self._caution.active else BATCHES_MAX):
            limit = size if self._left is None else min(size, self._left - len(rows))
            if limit == 0:
                break
            batch = await self._session.run(self._log.read(position, key, lanes, floor, limit, pass_over=True))
            position, opened, full = batch.after, opened or batch.opened, not batch.exhausted
            rows += batch.rows
            if batch.exhausted:
                break
        return Collected(rows, position, opened, full, self._clock.boottime() - started)

    async def _publish_rows(self, rows: Sequence[LogRow], end: MarkText, after: Position) -> int:
        """Publish until all of `rows`, behind which lies `after`, is in the topic or has a row of its own. Gives how many are
        in the topic.
        """
        found = sort_log(rows, self._holds, self._publisher.refuse, taken=self._publisher.takes(rows))
        if found.changes:
            self._tell.decided(found.changes)
            await self._write(found.changes)
        left = found.send
        while left:
            refused = await self._transaction(left, Mark(end.last_id, str(end)), after)
            if refused is None:
                break
            if refused:
                self._sender.put_behind(left, refused)
                changes = Changes()
                self._judge.log(left, refused, changes)
                await self._write(changes)
                left = [row for index, row in enumerate(left) if index not in refused]
        return len(left)

    async def _transaction(
        self, rows: Sequence[LogRow], mark: Mark, after: Position, *, due: bool = False
    ) -> Outcomes | None:
        """Try one transaction, of the log up to `after` or of what is `due`. None: it is committed. Else what was refused, or
        nothing: the same again.
        """
        await self._lease.wait_until_allowed()
        try:
            await self._publisher.begin()
        except BrokerUnavailable as error:
            await self._unknown(error.code, len(rows), due=due)
            await self._fence()
            return {}
        outcomes: Outcomes = dict((await self._sender.publish(rows, urgent=True, due=due)).exceptions)
        unknown = next((one for one in outcomes.values() if isinstance(one, Unknown)), None)
        if not outcomes:
            await self._lease.wait_until_allowed()
            if await self._publisher.commit(mark, self._settings.publish_timeout.total_seconds()):
                self._backoff.reset()
                self._silent_tries = 0
                return None
            unknown = Unknown("broker.commit_unknown", "the commit was not answered")
        if unknown is None:
            await self._publisher.abort()
            return outcomes
        await self._unknown(unknown.code, len(rows), due=due)
        text = _parse(await self._fence())
        if text is not None and str(text) == mark.metadata:
            return None
        silent = [index for index in sorted(outcomes) if isinstance(outcomes[index], Unknown)]
        self._silent_tries = self._silent_tries + 1 if silent else 0
        if self._silent_tries < SILENT_TRIES:
            return {}
        self._silent_tries = 0
        others_pass = len(silent) < len(rows) or await self._another_passes(rows[silent[0]], after)
        return {silent[0]: SILENT} if others_pass else {}

    async def _another_passes(self, silent: LogRow, after: Position) -> bool:
        """Whether the next message of another key to the same destination gets an answer, where all of a transaction got
        none (OB-40): tried in a transaction that is taken back.
        """
        cursor, topic = self._cursor, parse_kind(silent[2]).topic
        steps = self._log.read(
            after, cursor.key, cursor.lanes, cursor.floor_id, self._settings.batch_size, pass_over=True
        )
        other = next((row for row in (await self._session.run(steps)).rows if self._may_try(row, silent, topic)), None)
        if other is None:
            return False
        await self._lease.wait_until_allowed()
        try:
            await self._publisher.begin()
        except BrokerUnavailable:
            return False
        published = await self._sender.publish([other], urgent=True)
        if not published.exceptions:
            await self._publisher.abort()
            return True
        await self._fence()
        return False

    def _may_try(self, row: LogRow, silent: LogRow, topic: str) -> bool:
        kind = parse_kind(row[2])
        other = kind.topic == topic and (row[3] is None or row[3] != silent[3])
        return other and self._holds.reason(topic, row[3]) is None and self._publisher.refuse(row) is None

    async def _unknown(self, code: str, messages: int, *, due: bool) -> None:
        if self._caution.active:
            await (self._caution.unmark() if due else self._caution.leave())
        await self._back_off(code, messages)

    async def _due_transaction(self) -> bool:
        """Publish what is due in a transaction of its own, whose mark lists it. Says whether there was any."""
        pipeline = self._pipeline
        if pipeline.release_wanted:
            pipeline.release_wanted = False
            _, more = await self._writer.release((), self._settings.batch_size)
            pipeline.release_wanted, pipeline.due_at = more or pipeline.release_wanted, 0.0
        if self._clock.boottime() < pipeline.due_at:
            return False
        limit = 1 if self._caution.active else min(DUE_MAX, self._settings.batch_size)
        due = await self._session.run(deliveries.read_due(self._cursor.key, self._cursor.lanes, limit))
        pipeline.due_at = 0.0 if due else self._clock.boottime() + WATCH_SECONDS
        due = beside_suspects(due)
        if due:
            await self._publish_due(due)
        return bool(due)

    async def _publish_due(self, due: Sequence[Due]) -> None:
        alone = due[0].cause in ALONE
        if self._caution.active:
            await self._caution.mark(due[0].row[0], due=True)
        if alone and not await self._suspects.arm(due[0]):
            return
        send, changes, faults = sort_due(due, self._holds, self._publisher.refuse)
        self._tell.decided(changes)
        for one, fault in faults:
            self._judge.refuse(one, fault, changes)
        outcomes: Outcomes = {}
        if send:
            listed = tuple((one.row[0], _generation(one.row)) for one in send)
            text = MarkText(self._end.tick, self._end.last_id, self._end.message_id, listed)
            mark = Mark(text.last_id, str(text))
            refused = await self._transaction([one.row for one in send], mark, self._position, due=True)
            if refused is not None and not refused and alone:
                self._suspects.unanswered(due[0], 0.0, changes)
                await self._write(changes)
                return
            if refused is not None and not refused and not (changes or changes.again):
                return
            if refused is not None:
                send, outcomes = [one for index, one in enumerate(send) if index in refused], _renumbered(refused)
        self._judge.due(send, outcomes, changes)
        self._pipeline.tally.published += len(changes.delivered)
        await self._write(changes)

    async def _write(self, changes: Changes) -> None:
        await self._writer.conclude(changes)
        self._pipeline.tally.excepted += len(changes.new)
        self._pipeline.due_at = 0.0

    async def _back_off(self, code: str, messages: int) -> None:
        wait = self._backoff.next(self._clock.chance())
        self._pipeline.tally.unknown += messages
        self._tell.lane(PublishUnknown, messages=messages, code=code, backoff=wait)
        if self._once or await wait_for_event(self._pipeline.halted, wait):
            raise Stopped


def _parse(mark: Mark | None) -> MarkText | None:
    if mark is None:
        return None
    try:
        return MarkText.parse(mark.metadata)
    except ValueError:
        return None


def _generation(row: LogRow) -> int:
    return int(loads(row[6]).get("generation", 0)) if row[6] else 0


def _renumbered(refused: Outcomes) -> Outcomes:
    return dict(enumerate(refused[index] for index in sorted(refused)))
