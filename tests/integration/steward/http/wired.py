"""Steward's services on one database, wired as `bootstrap` does, with every outside world told by the test."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from outrider import Notifier
from outrider.core.identity import uuid7
from steward.calendars.writing import ICalendarWriter
from steward.domain.selection import Selection, select_by_rule
from steward.http.services import HttpSettings
from steward.ports.ledger import MessageLine, NotificationLine
from steward.ports.selector import SelectionRequest
from steward.ports.storage import Reading, Storage
from steward.service.accepting import Accepting
from steward.service.confirming import ApplySettings, Confirming
from steward.service.dialogues import Dialogues
from steward.service.events import Events
from steward.service.exporting import Exporting
from steward.service.feedback import Feedback
from steward.service.import_rows import ImportLimits
from steward.service.link_tokens import LinkKeys
from steward.service.links import Links
from steward.service.listing import Listing
from steward.service.loading import Loader, LoadSettings
from steward.service.messages import TRIGGERED
from steward.service.person import Defaults, People
from steward.service.preparing import Preparer, PrepareSettings
from steward.service.previews import Previews
from steward.service.rounds import Wakeup
from steward.service.settings import PersonSettings
from steward.service.sign_ins import SignIns
from steward.service.tasks import Tasks
from steward.service.timeline import Timeline
from steward.service.tokens import Tokens
from steward.service.triggers import Triggers, TriggerSettings
from steward.service.undoing import Undoing
from tests.integration.steward.calendars import Calendars
from tests.integration.steward.parts import sent_from

KEY = b"k" * 32


class RealChance:
    """Chance that nobody knows beforehand."""

    def __init__(self) -> None:
        self._count = 0

    def uuid7(self) -> UUID:
        self._count += 1
        return uuid7(1_764_000_000_000 + self._count, os.urandom(10))

    def fraction(self) -> float:
        return 0.5

    def secret(self, count: int) -> bytes:
        return os.urandom(count)


class ByRule:
    """Selects by the rule."""

    async def select(self, request: SelectionRequest) -> Selection:
        return select_by_rule(request.candidates)


class NoLedger:
    """Knows no message."""

    async def message(self, tx: Reading, message_id: UUID) -> MessageLine | None:
        del tx, message_id
        return None

    async def notifications(self, tx: Reading, message_id: UUID) -> Sequence[NotificationLine]:
        del tx, message_id
        return []


@dataclass
class Wired:
    """As `steward.http.services.Services`."""

    storage: Storage
    path: Path
    http: HttpSettings = field(default_factory=HttpSettings)
    errors: list[Exception] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        storage, self.chance = self.storage, RealChance()
        listing, defaults, apply = Listing([KEY]), Defaults(), ApplySettings()
        every: dict[str, Any] = {"storage": storage, "chance": self.chance}
        calendars = Calendars(storage, self.chance, "usr_anna")
        self.calendars = calendars
        self.notifier = Notifier(database=f"sqlite:///{self.path}")
        loader = Loader(defaults=defaults, settings=LoadSettings())
        self.confirming = Confirming(**every, defaults=defaults, settings=apply)
        self.undoing = Undoing(**every, defaults=defaults, settings=apply)
        self.dialogues = Dialogues(**every, defaults=defaults)
        self.events = Events(**every, listing=listing, defaults=defaults)
        self.exporting = Exporting(storage=storage, writer=ICalendarWriter(), limits=ImportLimits())
        self.feedback = Feedback(**every)
        self.importing = calendars.importing
        self.links = Links(**every, keys=LinkKeys([KEY]))
        self.person = People(**every, defaults=defaults)
        self.previews = Previews(storage=storage, listing=listing, defaults=defaults)
        self.settings = PersonSettings(storage=storage, defaults=defaults)
        self.sign_ins = SignIns(**every, links=self.links)
        self.tasks = Tasks(**every, listing=listing, defaults=defaults)
        self.timeline = Timeline(storage=storage, ledger=NoLedger())
        self.tokens = Tokens(**every)
        self.triggers = Triggers(**every, loader=loader, settings=TriggerSettings(), news=Wakeup())
        self.accepting = Accepting(defaults=defaults, wake=lambda: None)
        self.preparer = Preparer(
            **every, owner="prepare-1", loader=loader, selector=ByRule(), settings=PrepareSettings(), told=lambda: None
        )

    async def accept(self, trigger_id: str, user_id: str) -> None:
        """What the consumer does with the trigger's message."""
        [sent] = [
            one for one in sent_from(self.path) if one.body.get("trigger_id") == trigger_id and one.type == TRIGGERED
        ]
        await self.storage.change(user_id, lambda tx: self.accepting.triggered(tx, sent.body))

    async def hindrances(self) -> Mapping[str, str]:
        return self.reasons

    def exposition(self) -> bytes:
        return b"steward_http 1\n"

    def report(self, error: Exception, request_id: str) -> None:
        del request_id
        self.errors.append(error)
