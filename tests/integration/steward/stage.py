"""Steward's background services on one database, and what a test does with them in a line."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from outrider.testing.clock import ManualClock
from steward.domain.selection import Selection, select_by_rule
from steward.ports.chance import Chance
from steward.ports.ledger import MessageLine, NotificationLine
from steward.ports.replies import ReplyReader
from steward.ports.rows.calendar import EventRow
from steward.ports.selector import CandidateSelector, SelectionRequest
from steward.ports.solver import Solver
from steward.ports.storage import R, Reading, Storage, Writing
from steward.service.accepting import Accepting
from steward.service.answer import Caller, Keyed
from steward.service.dialogues import Dialogues
from steward.service.feedback import Feedback
from steward.service.instants import instant_text
from steward.service.listing import Listing
from steward.service.loading import Loader, LoadSettings
from steward.service.messages import PROMOTE, TRIGGERED
from steward.service.person import Defaults
from steward.service.preparing import Preparer, PrepareSettings
from steward.service.reconciling import Reconciler, ReconcileSettings
from steward.service.rounds import Wakeup
from steward.service.scanning import Scanner, ScanSettings
from steward.service.tasks import Tasks
from steward.service.triggers import Triggers, TriggerSettings
from tests.integration.steward.parts import NOON, PERSON, Sent

ANNA = Caller(PERSON, "ab" * 16, locale="en")
HOUR = timedelta(hours=1)


class RuleSelector:
    """Selects by the rule, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[SelectionRequest] = []

    async def select(self, request: SelectionRequest) -> Selection:
        self.asked.append(request)
        return select_by_rule(request.candidates)


class SetLedger:
    """Says of messages what a test said before."""

    def __init__(self) -> None:
        self.states: dict[UUID, str] = {}

    async def message(self, tx: Reading, message_id: UUID) -> MessageLine | None:
        del tx
        state = self.states.get(message_id)
        return None if state is None else MessageLine(message_id, "steward", None, state, NOON)

    async def notifications(self, tx: Reading, message_id: UUID) -> Sequence[NotificationLine]:
        del tx, message_id
        return []


@dataclass
class Stage:
    """The services, made when they are asked for."""

    storage: Storage
    clock: ManualClock
    chance: Chance
    ledger: SetLedger = field(default_factory=SetLedger)
    selector: CandidateSelector = field(default_factory=RuleSelector)
    replies: ReplyReader | None = None
    solver: Solver | None = None
    defaults: Defaults = field(default_factory=Defaults)
    accepted: set[str] = field(default_factory=set)
    trigger_settings: TriggerSettings = field(default_factory=TriggerSettings)
    prepare_settings: PrepareSettings = field(default_factory=PrepareSettings)
    scan_settings: ScanSettings = field(default_factory=ScanSettings)

    @property
    def tasks(self) -> Tasks:
        return Tasks(storage=self.storage, chance=self.chance, listing=Listing([b"k" * 32]), defaults=self.defaults)

    @property
    def loader(self) -> Loader:
        return Loader(defaults=self.defaults, settings=LoadSettings())

    @property
    def triggers(self) -> Triggers:
        return Triggers(
            storage=self.storage,
            chance=self.chance,
            loader=self.loader,
            settings=self.trigger_settings,
            news=Wakeup(),
            solver=self.solver,
        )

    @property
    def feedback(self) -> Feedback:
        return Feedback(storage=self.storage, chance=self.chance)

    @property
    def dialogues(self) -> Dialogues:
        return Dialogues(storage=self.storage, chance=self.chance, defaults=self.defaults, replies=self.replies)

    @property
    def reconciler(self) -> Reconciler:
        return Reconciler(storage=self.storage, chance=self.chance, ledger=self.ledger, settings=ReconcileSettings())

    def scanner(self, owner: str = "scan-1") -> Scanner:
        return Scanner(storage=self.storage, chance=self.chance, owner=owner, settings=self.scan_settings)

    def preparer(self, owner: str = "prepare-1", told: Callable[[], None] = lambda: None) -> Preparer:
        return Preparer(
            storage=self.storage,
            chance=self.chance,
            owner=owner,
            loader=self.loader,
            selector=self.selector,
            settings=self.prepare_settings,
            told=told,
            solver=self.solver,
        )

    async def task(self, **values: object) -> dict[str, Any]:
        """A task of group 2 and 60 minutes that is urgent now."""
        usual = {
            "title": "Lab report",
            "priority_group": 2,
            "duration_minutes": 60,
            "urgency_threshold_at": instant_text(self.clock.now()),
        }
        given = {name: value for name, value in (usual | values).items() if value is not None}
        return (await self.tasks.create(ANNA, given)).body  # type: ignore[no-any-return]

    async def event(self, name: str, start: datetime, end: datetime, **fields: Any) -> EventRow:  # noqa: ANN401  columns
        usual: dict[str, Any] = {"title": name, "zone": "Asia/Shanghai", "created_at": NOON}
        row = EventRow(event_id=name, user_id=PERSON, start_at=start, end_at=end, **usual | fields)

        async def work(tx: Writing) -> None:
            await tx.insert(row)

        await self.storage.change(PERSON, work)
        return row

    async def block(self, name: str, start: datetime, task_id: str, **fields: Any) -> EventRow:  # noqa: ANN401  columns
        usual = {"mobility": "flexible", "origin": "steward", "task_id": task_id}
        return await self.event(name, start, start + HOUR, **usual | fields)

    async def rows(self, kind: type[R], **where: object) -> list[R]:
        async def work(tx: Reading) -> list[R]:
            return await tx.all(kind, where, order=("created_at", fields(kind)[0].name))

        return await self.storage.read(work)

    async def row(self, kind: type[R], **where: object) -> R:
        (found,) = await self.rows(kind, **where)
        return found

    async def change(self, kind: type[Any], where: Mapping[str, object], values: Mapping[str, object]) -> int:
        async def work(tx: Writing) -> int:
            return await tx.change(kind, where, values)

        return await self.storage.change(PERSON, work)

    async def accept(self, messages: Callable[[], list[Sent]]) -> None:
        """Hand each message that nobody took yet to its handler, as the consumer does."""
        handlers = Accepting(defaults=self.defaults, wake=lambda: None)
        for message in messages():
            if (
                message.body["user_id" if "user_id" in message.body else "recipient_id"]
                and str(message.message_id) not in self.accepted
            ):
                self.accepted.add(str(message.message_id))
                await self.handle(handlers, message)

    async def handle(self, handlers: Accepting, message: Sent) -> None:
        handler = {TRIGGERED: handlers.triggered, PROMOTE: handlers.promote}.get(message.type)

        async def work(tx: Writing) -> None:
            if handler is not None:
                await handler(tx, message.body)

        await self.storage.change(message.key, work)

    async def prepare(self, messages: Callable[[], list[Sent]]) -> int:
        """Scan, accept and prepare what there is."""
        await self.scanner().scan_once()
        await self.accept(messages)
        return await self.preparer().prepare_once()


def keyed(key: str, body: object = None, path: str = "/api/v1/triggers") -> Keyed:
    return Keyed(key, "POST", path, body)


async def all_of(*work: Any) -> list[Any]:  # noqa: ANN401  awaitables of any kind
    return list(await asyncio.gather(*work))
