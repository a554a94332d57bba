"""One attempt: what is claimed is rendered, begun, sent, and its result written.

Invariant: nothing of a provider happens inside a transaction; a call is made only after `begin` has committed, and its result
is written again and again until it is there or the process ends, when the lease decides (NT-10, NT-12, NT-13). Attempts that
go on at the same time share their transactions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from outrider.core.errors import PayloadTooLarge, SecretUnreadable, StorageUnavailable
from outrider.core.notification.address import Address, Destination
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.content import Payload
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import Form
from outrider.core.steps import Steps
from outrider.core.text import clean_text
from outrider.notification.admission import lease_needs
from outrider.notification.calling import called, deadline, rendered, request_of
from outrider.notification.compose import Composer
from outrider.notification.content_key import thaw
from outrider.notification.opening import opened, unopened
from outrider.notification.preferences import quiet_of
from outrider.notification.record import Record
from outrider.notification.store import beginning, claiming, digests, finishing
from outrider.notification.store.beginning import Asked, Begun, LeaseLost, NeverBegun, NotBegun, Stale
from outrider.notification.store.finishing import Done, Finished
from outrider.notification.store.people import read_people
from outrider.notification.store.rows import read_clock
from outrider.notification.store.rules import Rules
from outrider.notification.telling import Telling
from outrider.ports.channel import Channel
from outrider.ports.clock import Clock
from outrider.ports.codec import SecretCodec
from outrider.runtime.sessions import Sessions
from outrider.runtime.together import Together

STALE_TRIES = 3
"""How often an address may change under a record before it waits for the next claim."""
BODIES_TRIES = 3
"""After so many failures to write a result it is written without what was said and answered."""
FINISH_SECONDS = (0.1, 5.0)


@dataclass(frozen=True, slots=True)
class Desk:
    """What attempts are made with."""

    rules: Rules
    channels: Mapping[str, Channel]
    composer: Composer
    codec: SecretCodec
    clock: Clock
    telling: Telling


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What `begin` is asked with."""

    asked: Asked
    verdict: SendResult | None
    """What the attempt gives without a call, where none can be made."""


@dataclass(frozen=True, slots=True)
class _Started:
    """The call is to be made; `asked_at` is when `begin` was asked for, of the boot clock."""

    begun: Begun
    prepared: _Prepared
    asked_at: float


class Sender:
    """Makes attempts, over the connections given: of each kind of work as many transactions at a time as there are. `wake` is
    called when something that nobody was told of is due, or will be.
    """

    def __init__(
        self,
        desk: Desk,
        is_stopping: Callable[[], bool],
        wake: Callable[[], None],
        reading: Sessions,
        begins: Sequence[Sessions],
        ends: Sequence[Sessions],
    ) -> None:
        self._desk = desk
        self._is_stopping, self._wake = is_stopping, wake
        self._reading = reading
        self._people = Together([reading.run], read_people)
        self._begins = Together([one.transact for one in begins], partial(beginning.begin_all, desk.rules))
        self._ends = Together(
            [one.transact for one in ends], partial(finishing.finish_all, desk.rules), self._is_calling
        )
        self._calls = 0

    async def attempt(
        self, claimed: Record, claimed_at: float, begun: Callable[[], None] = lambda: None
    ) -> Record | None:
        """Try a claimed record; `claimed_at` is when the claim was sent, of the boot clock. Gives it as it is then, if it
        is still this process's to know. `begun` is called when it has begun, or never will now. Raises StorageUnavailable.
        """
        try:
            found = await self._begin(claimed, claimed_at)
        finally:
            begun()
        match found:
            case _Started() as started:
                return await self._send(started, claimed_at)
            case Record():
                return found
        return None

    async def _begin(self, claimed: Record, claimed_at: float) -> _Started | Record | None:
        desk = self._desk
        channel = desk.channels.get(claimed.channel)
        if channel is None:
            return self._not_begun(
                claimed, await self._reading.transact(beginning.skip(desk.rules, claimed, Code.CHANNEL_DISABLED))
            )
        if claimed.digest_id is not None and await self._merged(claimed):
            return None
        if channel.traits.local:
            return self._not_begun(claimed, await self._reading.transact(beginning.tell(desk.rules, claimed)))
        for _ in range(STALE_TRIES):
            prepared = await self._prepare(claimed, channel)
            if not self._has_time(claimed, claimed_at):
                break
            asked_at = desk.clock.boottime()
            match await self._begins.do(prepared.asked):
                case Stale():
                    continue
                case Begun() as begun:
                    return _Started(begun, prepared, asked_at)
                case found:
                    return self._not_begun(claimed, found)
        await self._reading.transact(claiming.release([claimed]))
        self._wake()
        return None

    def _is_calling(self) -> bool:
        """Whether a provider is being asked, so that another result comes soon."""
        return self._calls > 0

    def _has_time(self, claimed: Record, claimed_at: float) -> bool:
        """Whether what is left of the lease by this host's clock is enough for a call (NT-10): it may have slept since."""
        rules = self._desk.rules
        left = claimed_at + rules.settings.lease.total_seconds() - self._desk.clock.boottime()
        return left >= lease_needs(rules.policy(claimed.channel)).total_seconds()

    async def _merged(self, claimed: Record) -> bool:
        """Whether the record went into its digest's list, closed by this call or another."""
        made = await self._reading.transact(_close_digest(self._desk.rules, claimed))
        if made is not None:
            members = await self._reading.run(digests.read_members(made.recipient_id, made.id))
            self._desk.telling.merged(made, len(members))
            self._wake()
        return made is not None

    def _not_begun(self, claimed: Record, found: NotBegun | NeverBegun | LeaseLost) -> Record | None:
        telling = self._desk.telling
        self._wake()
        match found:
            case LeaseLost():
                telling.lease_lost(claimed)
                return None
            case NeverBegun(record, next_record):
                telling.ended(record, next_record)
                return record
            case NotBegun(record):
                telling.held(record)
                return record

    async def _prepare(self, record: Record, channel: Channel) -> _Prepared:
        row, preference = await self._people.do((record.recipient_id, record.channel))
        verdict, address = None, None
        payload, title = Payload(Form.NEUTRAL, {}, ""), ""
        places: tuple[Destination, ...] = ()
        try:
            if row is not None:
                address = opened(row, self._desk.codec)
            if address is not None or not channel.traits.pushes:
                places = channel.destinations(address or Address(record.recipient_id, record.channel))
            payload, title = await self._content(record, channel)
        except SecretUnreadable as error:
            address = None if row is None else unopened(row)
            verdict = _verdict(Outcome.SKIPPED, ErrorClass.NONE, Code.SECRET_UNREADABLE, error)
        except PayloadTooLarge as error:
            verdict = _verdict(Outcome.PERMANENT_FAIL, ErrorClass.PAYLOAD, Code.PAYLOAD_INVALID, error)
        return _Prepared(Asked(record, address, places, payload, title, quiet_of(preference)), verdict)

    async def _content(self, record: Record, channel: Channel) -> tuple[Payload, str]:
        """What is frozen, else what the record's words give in the richest form that fits (NT-8, NT-29)."""
        if record.content_json is not None:
            return thaw(record.content_json)
        desk = self._desk
        members: list[Record] = []
        if record.digest_id is not None:
            members = await self._reading.run(digests.read_members(record.recipient_id, record.id))
        content = desk.composer.content(record, members)
        return rendered(channel, content, record.current_form or channel.traits.forms[0]), content.title

    async def _send(self, started: _Started, claimed_at: float) -> Record | None:
        desk, begun, prepared = self._desk, started.begun, started.prepared
        channel = desk.channels[begun.record.channel]
        desk.telling.begun(begun)
        began = desk.clock.boottime()
        result = prepared.verdict
        if result is None:
            policy = desk.rules.policy(begun.record.channel)
            until = deadline(policy, begun, claimed_at, started.asked_at, began)
            self._calls += 1
            try:
                result = await called(channel, request_of(begun, prepared.asked), until)
            finally:
                self._calls -= 1
        seconds = desk.clock.boottime() - began
        desk.telling.attempt_finished(begun, result, seconds)
        finished = await self._finish(begun, result, prepared.asked.destinations, round(seconds * 1000))
        if finished is None:
            return None
        desk.telling.finished(begun.record, finished)
        if finished.next_record is not None or finished.record.next_retry_at is not None:
            self._wake()
        return finished.record

    async def _finish(
        self, begun: Begun, result: SendResult, places: Sequence[Destination], latency_ms: int
    ) -> Finished | None:
        """Write the result, until it is written; a stopping process leaves what it cannot write to the lease."""
        clock, record = self._desk.clock, begun.record
        wait, tries = FINISH_SECONDS[0], 0
        while True:
            try:
                return await self._ends.do(Done(record.id, record.epoch, record.attempt_no, result, places, latency_ms))
            except StorageUnavailable:
                if self._is_stopping():
                    raise
            tries += 1
            if tries == BODIES_TRIES:
                result = replace(result, request_json=None, response_json=None)
            await clock.sleep(wait)
            wait = min(2 * wait, FINISH_SECONDS[1])


def _close_digest(rules: Rules, claimed: Record) -> Steps[Record | None]:
    if claimed.digest_id is None:
        return None
    now = yield from read_clock()
    return (yield from digests.close(rules, claimed.recipient_id, claimed.digest_id, now))


def _verdict(outcome: Outcome, error_class: ErrorClass, code: Code, error: Exception) -> SendResult:
    return SendResult(outcome, error_class, code, message=clean_text(str(error)))
