"""The notifier put together: its rules, channels and words; the consumer that accepts; both as one service.

Source: spec/notification.md NT-1, NT-53; spec/outbox.md OB-99.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.consumer_parts import WorkingConsumer
from outrider.bootstrap.notification_catalog import SERVICE, declare_notifications
from outrider.bootstrap.notification_channels import channels_of, client_of, envelopes_of
from outrider.bootstrap.outbox import outbox_parts
from outrider.bootstrap.process import process_of, proof_of
from outrider.bootstrap.registry import adapter
from outrider.bootstrap.resolver import Resolver, async_resolver, sync_resolver
from outrider.bootstrap.settings import notification_of
from outrider.bootstrap.settings_notification import Notification
from outrider.bootstrap.wiring import Site
from outrider.core.catalog import Catalog
from outrider.core.envelope import Envelope
from outrider.core.errors import ConfigurationError
from outrider.core.identity import uuid7
from outrider.core.message import Message
from outrider.core.notification.request import ORIGINAL, REQUESTED, Route
from outrider.core.secret import Secret
from outrider.core.steps import Steps, T, run, run_async
from outrider.notification.compose import Composer, Prepared
from outrider.notification.notifier import Notifier
from outrider.notification.operations.operations import NotificationOperations
from outrider.notification.original import parse_original
from outrider.notification.policy import BreakerPolicy, DigestPolicy, NotificationPolicy, Retention
from outrider.notification.request import parse_request
from outrider.notification.sender import Desk
from outrider.notification.store.accepting import Request, accept_all
from outrider.notification.store.placing import Accepted
from outrider.notification.store.rules import Announce, Announcement, Rules
from outrider.notification.telling import Telling
from outrider.notification.template import load_templates
from outrider.ports.channel import Channel
from outrider.ports.codec import SecretCodec
from outrider.ports.http import HttpClient
from outrider.ports.telemetry import Telemetry
from outrider.runtime.service import Service
from outrider.runtime.sessions import SessionPool, Sessions
from outrider.runtime.supervisor import Supervisor, first_error

RANDOM_BYTES = 10


def policy_of(values: Notification) -> NotificationPolicy:
    """The settings as the notifier takes them. Raises ConfigurationError that names the key."""
    return NotificationPolicy(
        enabled=values.enabled, max_attempts=values.max_attempts, retry_base=values.retry_base,
        retry_max=values.retry_max, give_up_after=values.give_up_after, summary_max=values.summary_max,
        batch=values.batch, poll=values.poll, concurrency=values.concurrency, per_destination=values.per_destination,
        lease=values.lease, dedupe_window=values.dedupe_window, dedupe_windows=values.dedupe_windows,
        window_margin=values.window_margin, reopen_window=values.reopen_window,
        route=Route(values.route.always, values.route.first_of),
        routes={kind: Route(one.always, one.first_of) for kind, one in values.routes.items()},
        feishu_route=values.feishu_route,
        digests={kind: DigestPolicy(one.mode, one.window) for kind, one in values.digest.items()},
        default_locale=values.default_locale, default_zone=values.default_zone,
        public_base_url=values.public_base_url, action_paths=values.action_paths, link_hosts=values.link_hosts,
        operators=values.operators,
        breaker=BreakerPolicy(
            values.breaker.failures, values.breaker.first, values.breaker.max, values.breaker.disable_after
        ),
        retention=Retention(
            values.retention.texts, values.retention.attempts, values.retention.records, values.retention.inbox
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class NotifierParts:
    """What the processes of the notifier share."""

    made: Site
    catalog: Catalog
    values: Notification
    desk: Desk
    telemetry: Telemetry
    client: HttpClient | None = None
    resolve: Resolver = field(default_factory=sync_resolver)
    resolve_async: Resolver = field(default_factory=async_resolver)

    def accept(self, tx: object, prepared: Prepared) -> list[Accepted]:
        """Accept in the caller's transaction, by a synchronous library."""
        (found,) = self.accept_all(tx, [prepared])
        return found

    def accept_all(self, tx: object, several: Sequence[Prepared]) -> list[list[Accepted]]:
        """The same for several, as one after the other."""
        wanted = [Request(one.request, one.fallback_used) for one in several]
        return self.run(tx, accept_all(self.desk.rules, wanted))

    def run(self, tx: object, steps: Steps[T], after: Callable[[], None] | None = None) -> T:
        """Drive `steps` in the caller's transaction, by a synchronous library.

        `after` is called after its commit where that can be heard of. Raises NoTransaction.
        """
        transaction = self.resolve(tx)
        transaction.check()
        transaction.flush()
        if after is not None:
            transaction.after_commit(after)
        return run(steps, lambda statement: transaction.execute(statement, self.made.texts))

    async def run_async(self, tx: object, steps: Steps[T], after: Callable[[], None] | None = None) -> T:
        """The same by an asynchronous library."""
        transaction = self.resolve_async(tx)
        transaction.check()
        await transaction.flush()
        if after is not None:
            transaction.after_commit(after)
        return await run_async(steps, lambda statement: transaction.execute(statement, self.made.texts))

    def operations(self, sessions: SessionPool, actor: str) -> NotificationOperations:
        """What may be looked at and changed, for `actor`."""
        return NotificationOperations(self.desk, sessions, actor, self.client)

    def sessions(self) -> Sessions:
        """A connection of the storage."""
        return Sessions(self.made.storage)

    def notifier(self) -> Notifier:
        """The service that sends."""
        process = process_of(self.made, Notifier.role)
        proof = proof_of(self.made, process)
        return Notifier(self.made.service, process.owner, self.desk, self.sessions, self.telemetry, proof)

    def consumer(self, notifier: Notifier, transactions: Any) -> WorkingConsumer:  # noqa: ANN401  any library's
        """The consumer of both request types, whose acceptance wakes `notifier`. For a running event loop."""
        consumer = Consumer(SERVICE, self.catalog, transactions=transactions, start="beginning", service=SERVICE)
        loop = asyncio.get_running_loop()

        def handle_all(several: Sequence[Prepared], tx: Any) -> None:  # noqa: ANN401  of any library
            found = [one for accepted in self.accept_all(tx, several) for one in accepted]
            for one in found:
                self.desk.telling.accepted(one)
            if any(one.record.next_retry_at is not None for one in found):  # the rest is told by now
                loop.call_soon_threadsafe(notifier.wake)

        def handle(prepared: Prepared, tx: Any, context: Any) -> None:  # noqa: ANN401, ARG001  of any library
            handle_all([prepared], tx)

        consumer.handler(REQUESTED, read=self._read, together=handle_all)(handle)
        consumer.handler(ORIGINAL, read=self._read_original, together=handle_all)(handle)
        return consumer.service(self.made.settings, telemetry=self.telemetry)

    def _read(self, envelope: Envelope) -> Prepared:
        return self.desk.composer.prepare(parse_request(envelope.body, envelope.message_id, self.made.clock.now()))

    def _read_original(self, envelope: Envelope) -> Prepared:
        request = parse_original(
            envelope.body, envelope.version, envelope.message_id, self.made.clock.now(), self.values.feishu_route
        )
        return self.desk.composer.prepare(request)


def notifier_parts(
    made: Site, telemetry: Telemetry, *, channels: Mapping[str, Channel] | None = None, stream: TextIO | None = None
) -> NotifierParts:
    """Put the notifier of `made` together; `channels` stand for those of the settings, `stream` for the console's stdout.

    Raises ConfigurationError, CatalogError, MissingExtra.
    """
    values = notification_of(made.settings)
    if made.settings.service.profile == "production":
        _check_production(values)
    catalog = made.catalog if made.catalog is not None else _own_catalog()
    if made.service != SERVICE:
        raise ConfigurationError(f"service.name: the notifier's tables are those of service {SERVICE!r}")
    policy = policy_of(values)
    client = client_of(values)
    known = channels if channels is not None else channels_of(values, made.clock, client, stream=stream)
    traits = {name: channel.traits for name, channel in known.items()}
    policy.check_channels(traits)
    templates = load_templates([values.templates] if values.templates else [])
    composer = Composer(templates, policy, tuple(known), envelopes_of(values))
    announce = _announcing(made, catalog, telemetry)
    rules = Rules(policy, traits, announce, composer.content, _new_id(made), made.clock.chance)
    desk = Desk(rules, known, composer, secret_codec(made, values), made.clock, Telling(telemetry, made.service))
    return NotifierParts(made, catalog, values, desk, telemetry, client)


class Notifying(Service):
    """Consumer and notifier of one process, as one service."""

    role = "notifier"

    def __init__(self, parts: NotifierParts, transactions: Any) -> None:  # noqa: ANN401  any library's
        super().__init__()
        self._parts, self._transactions = parts, transactions
        self._notifier = parts.notifier()
        self._consumer: WorkingConsumer | None = None
        self._drain_seconds = 0.0
        self._told = asyncio.Event()

    @property
    def channels(self) -> Collection[str]:
        """The channels that it sends on."""
        return self._parts.desk.channels.keys()

    def _forget_stop(self) -> None:
        self._told = asyncio.Event()

    def _hindrance(self) -> str | None:
        consumer = "starting" if self._consumer is None else self._consumer.hindrance
        return consumer or self._notifier.hindrance

    def _drain(self, timeout_seconds: float) -> None:
        self._drain_seconds = timeout_seconds
        self._told.set()

    async def _serve(self) -> None:
        self._consumer = consumer = self._parts.consumer(self._notifier, self._transactions)
        await consumer.start()
        await self._notifier.start()
        try:
            await self._both(consumer)
        except BaseExceptionGroup as raised:
            raise first_error(raised) from None

    async def _both(self, consumer: WorkingConsumer) -> None:
        """Until told to stop, or until one of them ends, which ends the other."""
        async with Supervisor() as group:
            working = [group.start(consumer.wait(), "accept"), group.start(self._notifier.wait(), "send")]
            told = group.start(self._told.wait(), "told")
            await asyncio.wait([*working, told], return_when=asyncio.FIRST_COMPLETED)
            for service in (consumer, self._notifier):
                if service.ready:
                    await service.stop(self._drain_seconds)
            told.cancel()


def _own_catalog() -> Catalog:
    catalog = Catalog(SERVICE)
    declare_notifications(catalog, [SERVICE])
    return catalog


def _announcing(made: Site, catalog: Catalog, telemetry: Telemetry) -> Announce:
    parts = outbox_parts(catalog, SERVICE, "", made.settings.database.db_schema, telemetry)
    writer = parts.logs(made.storage.dialect).writer

    def announce(told: Sequence[Announcement]) -> Steps[None]:
        records, fresh = parts.prepare([Message(one.type, dict(one.body), key=one.key) for one in told])
        yield from writer.append(records, fresh=fresh)

    return announce


def _new_id(made: Site) -> Callable[[], Any]:
    return lambda: uuid7(made.clock.now_ms(), made.clock.random_bytes(RANDOM_BYTES))


def secret_codec(made: Site, values: Notification) -> SecretCodec:
    """What seals and opens secrets: under the keys of the settings, or plain without any."""
    keys = [Secret(key.get_secret_value()) for key in values.secret_keys]
    found: SecretCodec = (
        adapter("secrets", "sealed")(keys, made.clock.random_bytes) if keys else adapter("secrets", "plain")()
    )
    return found


def _check_production(values: Notification) -> None:
    faults = []
    if values.ssrf.allow:
        faults.append("notification.ssrf.allow: fake servers have no place in production")
    if not values.secret_keys:
        faults.append("notification.secret_keys: without a key secrets lie plain in their rows")
    if faults:
        raise ConfigurationError("; ".join(faults), faults=tuple(faults))
