"""The logs that a consumer reads where the log is the broker: one of each producing service."""

from outrider.bootstrap.process import process_of, proof_of
from outrider.bootstrap.registry import adapter, dialect_of
from outrider.bootstrap.wiring import Site, site
from outrider.consumer.attempt import Facts
from outrider.consumer.config import ConsumerConfig
from outrider.consumer.log_lane import LogLane
from outrider.consumer.log_rows import LogRows
from outrider.consumer.log_share import LogOfService, LogShare
from outrider.consumer.log_source import LogSource
from outrider.consumer.router import Router
from outrider.consumer.tell import Teller
from outrider.core.envelope import source_urn
from outrider.core.errors import CatalogError
from outrider.core.subscriptions import Start
from outrider.ports.wakeup import WakeupListener
from outrider.runtime.sessions import Sessions
from outrider.runtime.wakeup import in_process, wakeup_channel


def log_source(
    made: Site, router: Router, config: ConsumerConfig, facts: Facts, teller: Teller, start: Start | None
) -> LogSource:
    """The log of each service that produces a type handled here; all share one database (OB-32)."""
    if made.catalog is None:
        raise CatalogError("a consumer needs its catalog")
    process, lease = process_of(made, f"consumer:{config.name}"), made.settings.relay.lease
    logs = [_log(made, name, config, facts, teller, start) for name in router.producers]
    proof = proof_of(made, process)
    return LogSource([LogShare(log, router, process, lease, made.clock, teller, proof) for log in logs], made.clock)


def _log(
    made: Site, name: str, config: ConsumerConfig, facts: Facts, teller: Teller, start: Start | None
) -> LogOfService:
    settings, there = made.settings, _beside(made, name)
    owned: dict[int, LogLane] = {}
    namespace = "outrider" if made.catalog is None else made.catalog.namespace
    rows = LogRows(Sessions(there.storage), there.texts, owned, facts.hold_types, config.policy, made.clock, teller)

    async def listen_here() -> WakeupListener:
        return in_process(wakeup_channel(there.names.prefix)).listen()

    return LogOfService(
        service=name,
        source=source_urn(namespace, name),
        subscription=config.name,
        start=start,
        lanes=settings.relay.lanes,
        sessions=Sessions(there.storage),
        reader=adapter("log_reader", dialect_of(settings.database.url))(),
        rows=rows,
        owned=owned,
        listens=(listen_here, there.storage.listen) if settings.wakeup.notify else (listen_here,),
    )


def log_sessions(made: Site, router: Router) -> list[Sessions]:
    """Connections to the logs of the producing services that may be in this database too (OB-65)."""
    return [Sessions(_beside(made, name).storage) for name in router.producers]


def _beside(made: Site, name: str) -> Site:
    """The site of another service in the same database."""
    service = made.settings.service.model_copy(update={"name": name})
    return site(made.settings.model_copy(update={"service": service}), made.catalog)
