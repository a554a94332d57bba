"""Steward put together: every service over one database, by the settings.

Invariant: making one connects nowhere; `close` closes what was opened since. Source: spec/scheduling.md §16, ST-64, ST-71.
"""

import os
import socket
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from outrider import AsyncOutbox
from outrider.bootstrap.guarded import SealedTexts, guarded_client
from outrider.bootstrap.notification_catalog import SERVICE as NOTIFICATION
from outrider.bootstrap.reach import Reach
from outrider.bootstrap.running import FanOut, SystemClock, Telemetry
from outrider.bootstrap.tracing import tracer_of
from outrider.bootstrap.wiring import site
from steward.bootstrap.apart import ProcessApart
from steward.bootstrap.catalog import STEWARD, checked_body, make_catalog
from steward.bootstrap.chance import SystemChance
from steward.bootstrap.database import limits_of, pool_of
from steward.bootstrap.derive import Derived
from steward.bootstrap.keys import keys_of
from steward.bootstrap.late import LateWriter
from steward.bootstrap.ledger import OutriderLedger
from steward.bootstrap.outside import GuardedFeeds, SealedUrls
from steward.bootstrap.probing import Probe
from steward.bootstrap.selecting import choosers_of
from steward.bootstrap.settings_model import Settings
from steward.bootstrap.solving import solver_of
from steward.bootstrap.telling import HeldFacts, Teller
from steward.calendars.apart import ApartReader
from steward.domain.offer import OfferLimits
from steward.domain.resuggesting import Resuggestion
from steward.http.services import HttpSettings
from steward.ports.chance import Chance
from steward.ports.storage import Storage
from steward.service.accepting import Accepting
from steward.service.confirming import ApplySettings, Confirming
from steward.service.dialogues import Dialogues
from steward.service.events import Events
from steward.service.exporting import Exporting
from steward.service.feed_reading import FeedReading
from steward.service.feedback import Feedback
from steward.service.feeds import Feeds
from steward.service.import_rows import ImportLimits
from steward.service.importing import Importing
from steward.service.link_tokens import LinkKeys
from steward.service.links import Links
from steward.service.listing import Listing
from steward.service.loading import Loader, LoadSettings
from steward.service.person import Defaults, People
from steward.service.preparing import Preparer, PrepareSettings
from steward.service.previews import Previews
from steward.service.reconciling import Reconciler, ReconcileSettings
from steward.service.rounds import Wakeup
from steward.service.scanning import Scanner, ScanSettings
from steward.service.settings import PersonSettings
from steward.service.sign_ins import SignIns
from steward.service.storing import PreviewTimes
from steward.service.tasks import Tasks
from steward.service.timeline import Timeline
from steward.service.tokens import Tokens
from steward.service.triggers import Triggers, TriggerSettings
from steward.service.undoing import Undoing
from steward.storage.messages import OutboxMessages
from steward.storage.storage import AlchemyStorage

if TYPE_CHECKING:  # it loads all of the notification service
    from outrider import Notifier


class Steward:
    """All services of one process, an attribute each, named as its file; `values` are the settings.

    Handlers of messages have connections of their own, `handlers_pool`, so that nothing else waits for them.
    `clock` stands for the host's, and on SQLite for the database's; `metrics` for a sink of its own, where `telemetry` feeds
    one. Raises SettingsWrong, ConfigurationError, MissingExtra.
    """

    def __init__(
        self,
        values: Settings,
        outrider: Derived,
        *,
        telemetry: Telemetry,
        clock: SystemClock | None = None,
        metrics: Any = None,  # noqa: ANN401 - a class of an extra
    ) -> None:
        self.values, self.outrider = values, outrider
        self.clock = clock or SystemClock()
        self.chance: Chance = SystemChance(self.clock)
        self.owner = f"{socket.gethostname()[:64]}:{os.getpid()}:{self.clock.random_bytes(8).hex()}"
        self.catalog = make_catalog(values.namespace)
        self.sites = {
            one.service.name: site(one, self.catalog, self.clock) for one in (outrider.steward, outrider.notification)
        }
        database = outrider.steward.database
        self.pool, self.handlers_pool = pool_of(database), pool_of(database)
        self.probe = Probe(telemetry, self.pool, metrics)
        self.teller = Teller(
            self.probe.telemetry, self.clock.boottime, self.chance,
            count=self.probe.count, tracer=tracer_of(values.broker.kind),
        )  # fmt: skip
        self.held = HeldFacts(self.teller.tell)
        self.telemetry = telemetry = FanOut(self.probe.telemetry, self.held)
        self.reach = Reach(tuple(self.sites.values()))
        self.outbox = AsyncOutbox(self.catalog, STEWARD, db_schema=database.db_schema, telemetry=telemetry)
        self.database = AlchemyStorage(
            self.pool,
            OutboxMessages(self.outbox, checked_body),
            self.clock.now,
            limits_of(database),
            tell=self.teller.tell,
        )
        self.storage: Storage = self.database
        self.keys = keys_of(values, self.clock.random_bytes)
        self.defaults = Defaults(values.defaults.zone, values.defaults.locale, values.defaults.usual_grid)
        self.listing = Listing(self.keys.of("cursors"))
        others = {
            NOTIFICATION: AsyncOutbox(self.catalog, NOTIFICATION, db_schema=database.db_schema, telemetry=telemetry)
        }
        self.ledger = OutriderLedger(self.outbox, others, self.catalog, lambda: self.notifier)
        self.news = Wakeup()
        self.choosers = choosers_of(values.selector, self.storage, self.clock.boottime, self.teller)
        self._wire_persons()
        self._wire_background()
        self._wire_calendars()

    def _wire_persons(self) -> None:
        """What persons ask for."""
        values, storage, chance, defaults = self.values, self.storage, self.chance, self.defaults
        apply = ApplySettings(values.prepare.horizon, values.preview.undo_window, self.resuggestion)
        self.person = People(storage=storage, chance=chance, defaults=defaults)
        self.tasks = Tasks(storage=storage, chance=chance, listing=self.listing, defaults=defaults)
        self.events = Events(storage=storage, chance=chance, listing=self.listing, defaults=defaults)
        self.settings = PersonSettings(storage=storage, defaults=defaults)
        self.previews = Previews(
            storage=storage, listing=self.listing, defaults=defaults, horizon=values.prepare.horizon
        )
        self.confirming = Confirming(
            storage=storage, chance=chance, defaults=defaults, settings=apply, telemetry=self.teller
        )
        self.undoing = Undoing(storage=storage, chance=chance, defaults=defaults, settings=apply, telemetry=self.teller)
        self.links = Links(
            storage=storage, chance=chance, keys=LinkKeys(self.keys.of("links")),
            undo_window=values.preview.undo_window,
        )  # fmt: skip
        self.tokens = Tokens(storage=storage, chance=chance)
        self.sign_ins = SignIns(storage=storage, chance=chance, links=self.links, days=values.web.sign_in_days)
        self.timeline = Timeline(storage=storage, ledger=self.ledger)
        self.feedback = Feedback(storage=storage, chance=chance, enabled=values.enabled)
        self.dialogues = Dialogues(storage=storage, chance=chance, defaults=defaults, replies=self.choosers.replies)

    def _wire_background(self) -> None:
        """From job to preview."""
        values, storage, chance = self.values, self.storage, self.chance
        prepare, trigger, scan = values.prepare, values.trigger, values.scan
        loader = Loader(
            defaults=self.defaults,
            settings=LoadSettings(
                prepare.window,
                prepare.horizon,
                prepare.events_max,
                OfferLimits(values.search.moves_max, values.search.candidates_max),
            ),
        )
        self.solver = solver_of(values.solver)
        self.triggers = Triggers(
            storage=storage, chance=chance, loader=loader, news=self.news, solver=self.solver,
            settings=TriggerSettings(values.enabled, trigger.dedupe_window, trigger.allow_mock_time),
        )  # fmt: skip
        self.scanning = Scanner(
            storage=storage, chance=chance, owner=self.owner,
            settings=ScanSettings(scan.interval, scan.batch, scan.lease, scan.tries_max, trigger.dedupe_window),
        )  # fmt: skip
        self.preparing = Preparer(
            storage=storage, chance=chance, owner=self.owner, loader=loader, told=self.news.wake,
            selector=self.choosers.candidates, solver=self.solver, telemetry=self.teller,
            settings=PrepareSettings(
                prepare.concurrency, prepare.lease, prepare.tries_max,
                PreviewTimes(values.preview.ttl, values.preview.question_ttl), self.resuggestion,
            ),
        )  # fmt: skip
        self.accepting = Accepting(defaults=self.defaults, wake=self.preparing.wake)
        self.reconciling = Reconciler(
            storage=storage, chance=chance, ledger=self.ledger, telemetry=self.teller,
            settings=ReconcileSettings(
                values.reconcile.interval, values.reconcile.batch, timedelta(days=values.retention.days),
                self.resuggestion,
            ),
        )  # fmt: skip

    def _wire_calendars(self) -> None:
        """Files and feeds."""
        storage, chance, calendar = self.storage, self.chance, self.values.calendar
        limits = ImportLimits(
            calendar.past, calendar.ahead, calendar.bytes_max, calendar.occurrences_max, calendar.refresh
        )
        sealed = SealedTexts([urlsafe_b64encode(key).decode() for key in self.keys.of("feeds")], self.clock)
        reader, sealer = ApartReader(ProcessApart()), SealedUrls(sealed)
        feeds = FeedReading(
            storage=storage, chance=chance, reader=reader, sealer=sealer, limits=limits,
            client=GuardedFeeds(guarded_client, calendar.bytes_max),
        )  # fmt: skip
        self.importing = Importing(
            storage=storage,
            chance=chance,
            reader=reader,
            feeds=feeds,
            sealer=sealer,
            listing=self.listing,
            limits=limits,
            telemetry=self.teller,
        )
        self.feeds = Feeds(storage=storage, chance=chance, reading=feeds, owner=self.owner)
        self.exporting = Exporting(storage=storage, writer=LateWriter(), limits=limits)

    @property
    def notifier(self) -> "Notifier":
        """The notification service of this process: all of it but how an application makes one."""
        return self._notifier

    @cached_property
    def _notifier(self) -> "Notifier":
        parts = import_module("outrider.bootstrap.notifying").notifier_parts(self.sites["notification"], self.telemetry)
        site_notifier = import_module("outrider.bootstrap.notifier").SiteNotifier
        made: Notifier = site_notifier(parts, self.outrider.notification.database.url)
        return made

    @property
    def resuggestion(self) -> Resuggestion:
        """When what was not answered is suggested again."""
        preview = self.values.preview
        return Resuggestion(preview.resuggest_after, preview.resuggest_max)

    @property
    def http(self) -> HttpSettings:
        """How it is called."""
        values = self.values
        return HttpSettings(
            values.public_url, values.http.body_max, values.http.rate, values.http.burst, values.web.sign_in_days
        )

    async def hindrances(self) -> Mapping[str, str]:
        """Why nothing should be sent here just now: the part, and what is the matter with it; empty if all is well."""
        found = await self.probe.hindrances()
        return found if {"database", "schema"} & set(found) else {**found, **await self.reach.hindrances()}

    def exposition(self) -> bytes:
        """The metrics, as Prometheus reads them."""
        return self.probe.exposition()

    def report(self, error: Exception, request_id: str) -> None:
        """Tell the operator of what nobody foresaw."""
        self.probe.report(error, request_id)

    async def close(self) -> None:
        """Close what is open and not in use."""
        if "_notifier" in vars(self):
            await self._notifier.close()
        await self.reach.close()
        await self.database.close()
        await self.handlers_pool.dispose()
