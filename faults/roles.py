"""Relay, consumer and set-up of a campaign's processes, on the library's own wiring with a board as telemetry sink.

Each imports what it needs and no more, as a program of its own would: how soon a process works after its start is measured.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from faults.dialect import alchemy_url, spoken
from faults.shop import TYPE, Cell, catalog
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.wiring import make_subscription, site, update_routes
from outrider.core.catalog import Catalog
from outrider.core.errors import StorageUnavailable
from outrider.core.lane import LaneKey
from outrider.ports.broker import Publisher
from outrider.runtime.service import Service
from outrider.telemetry.fan_out import FanOut
from outrider.testing.faults import Board, ConsumerSink, RelaySink

POOL_SIZE = 8
CONNECT_SECONDS = 0.5
PRUNED_AT_ONCE = 40
SUSPECT_DELAYS = "4 s, 5 s"


def settings(service: str, cell: Cell) -> Settings:
    """The settings of every process of the campaign; all else is as shipped."""
    return make(
        {
            "service.name": service,
            "database.url": cell.database,
            "broker.url": cell.broker,
            "broker.transactional": cell.transactional,
            "relay.lease": cell.lease_seconds,
            "relay.publish_timeout": int(cell.lease_seconds * 1000 / 3) / 1000,
            "consumer.session_timeout": cell.lease_seconds,
            "runtime.state_dir": cell.state_dir,
            "retry.suspect_delays": SUSPECT_DELAYS,
            **(
                {"sweep.redeliver_after": cell.redeliver_seconds, "sweep.consumers_here": "billing"}
                if cell.swept
                else {}
            ),
        }
    )


async def init(name: str, cell: Cell) -> None:
    """Make the tables of both services, the relay's subscription and the routes."""
    from outrider.bootstrap.migrations import migrate  # noqa: PLC0415 - as said above

    for service in ("shop", "billing"):
        made = site(settings(service, cell), catalog(name))
        migrate(made.settings, made.names.prefix)
        async with made.session() as session:
            await update_routes(made, session)
            if service == "shop":
                await make_subscription(made, session)


Publishers = Callable[[LaneKey], Publisher]


async def relay(name: str, cell: Cell, board: Board, hook: Callable[[Publishers], Publishers] | None = None) -> None:
    """Publish until SIGTERM; `hook` puts something between the relay and its publishers."""
    from outrider.bootstrap.relay import RelayParts  # noqa: PLC0415 - as said above

    parts = RelayParts(site(settings("shop", cell), catalog(name)), FanOut(RelaySink(board)))
    if hook is not None:
        parts.relay._publishers = hook(parts.relay._publishers)  # noqa: SLF001 - the fault is ours, not the relay's
    await _patiently(parts.prepare)
    if cell.swept:
        await parts.upkeep.start()
    await until_told(parts.relay, board)
    if cell.swept:
        await parts.upkeep.stop(1.0)


async def consume(name: str, cell: Cell, board: Board, handle: Callable[..., None] | None = None) -> None:
    """Write effects until SIGTERM: in SQLAlchemy's transactions from a broker, in our own connections from the log. `handle`
    is what handles instead, in our own connections.
    """
    from outrider import Consumer  # noqa: PLC0415 - as said above

    sink = ConsumerSink(board)
    made: Catalog = catalog(name)
    transactions: Any = cell.database
    if cell.broker != "log:" and handle is None:
        from sqlalchemy import create_engine  # noqa: PLC0415 - as said above

        transactions = create_engine(alchemy_url(cell.database), pool_size=POOL_SIZE, pool_pre_ping=True)
    service = "shop" if cell.swept else "billing"
    consumer = Consumer("billing", made, transactions=transactions, start="beginning", service=service)

    @consumer.handler(TYPE)
    def write_effect(event: dict[str, Any], tx: Any, context: object) -> None:  # noqa: ANN401 - either library's
        sink.begin()
        if handle is not None:
            handle(event, tx, context)
            return
        write = spoken(cell.database, "INSERT INTO effect (token, key) VALUES (%s, %s)")
        if cell.broker != "log:":
            tx.exec_driver_sql(write, (event["token"], event["key"]))
            return
        with tx.cursor() as cursor:
            cursor.execute(write, (event["token"], event["key"]))

    await until_told(consumer.service(settings(service, cell), telemetry=FanOut(sink)), board)


async def read(name: str, cell: Cell, board: Board) -> None:
    """Note what is read from the log as the consumer `cell.reader` of shop's own, until SIGTERM."""
    from outrider import Consumer  # noqa: PLC0415 - as said above

    sink = ConsumerSink(board)
    consumer = Consumer(cell.reader, catalog(name), transactions=cell.database, start="beginning", service="shop")

    @consumer.handler(TYPE)
    def take(event: dict[str, Any], tx: Any, _context: object) -> None:  # noqa: ANN401 - psycopg's connection
        sink.begin()
        tx.execute("INSERT INTO taken VALUES (%s, %s)", (cell.reader, event["token"]))

    await until_told(consumer.service(settings("shop", cell), telemetry=FanOut(sink)), board)


async def prune(name: str, cell: Cell, board: Board) -> None:
    """Prune without pause, a few rows at a time, until SIGTERM."""
    from outrider.bootstrap.pruning import pruner  # noqa: PLC0415 - as said above

    known = settings("shop", cell)
    made = site(
        known.model_copy(update={"prune": known.prune.model_copy(update={"batch": PRUNED_AT_ONCE})}), catalog(name)
    )
    working = pruner(made, FanOut())
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    board.mark_ready()
    while not over.is_set():
        await working.run_once()
        await asyncio.sleep(0.05)


async def _patiently(prepare: Callable[[], Awaitable[None]]) -> None:
    """As a supervisor would: try again while a server is being restarted."""
    while True:
        try:
            return await prepare()
        except StorageUnavailable:
            await asyncio.sleep(0.1)


async def until_told(service: Service, board: Board) -> None:
    """Run a service until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[bool]] = []
    loop.add_signal_handler(signal.SIGTERM, lambda: stopping.append(loop.create_task(service.stop(20.0))))
    await service.start()
    await asyncio.sleep(CONNECT_SECONDS)
    board.mark_ready()
    await service.wait()
    for task in stopping:
        await task
