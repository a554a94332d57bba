"""One process of the demo: `python -m outrider.cli.demo.process ROLE PLAN_JSON BOARD`."""

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.relay import RelayParts
from outrider.bootstrap.wiring import site
from outrider.cli.demo.prepare import settings
from outrider.cli.demo.producer import Producer
from outrider.cli.demo.shop import SERVICE, TYPE, Plan, catalog, sql
from outrider.runtime.service import Service
from outrider.telemetry.fan_out import FanOut
from outrider.testing.faults import Board, ConsumerSink, RelaySink, die_with_parent

CONNECT_SECONDS = 0.3


def main(role: str, plan: Plan, board: Board) -> None:
    """Run the role until SIGTERM."""
    if role.startswith("produce:"):
        Producer(plan, int(role.partition(":")[2]), board).run()
    elif role == "relay":
        asyncio.run(_relay(plan, board))
    else:
        asyncio.run(_consume(role, plan, board))


async def _relay(plan: Plan, board: Board) -> None:
    parts = RelayParts(site(settings(plan, SERVICE), catalog(plan.namespace)), FanOut(RelaySink(board)))
    await parts.prepare()
    await _until_told(parts.relay, board)


async def _consume(name: str, plan: Plan, board: Board) -> None:
    sink = ConsumerSink(board)
    text = sql(plan, "INSERT INTO demo_effect (consumer, token, key) VALUES (?, ?, ?)")
    consumer = Consumer(name, catalog(plan.namespace), transactions=_transactions(plan), start="beginning")

    @consumer.handler(TYPE)
    def write_effect(event: dict[str, Any], tx: Any, _context: object) -> None:  # noqa: ANN401 - either driver's
        sink.begin()
        tx.execute(text, (name, event["token"], event["key"]))

    await _until_told(consumer.service(settings(plan, name), telemetry=FanOut(sink)), board)


def _transactions(plan: Plan) -> Any:  # noqa: ANN401 - what a consumer takes
    if plan.dialect == "sqlite":
        return lambda: sqlite3.connect(plan.path, isolation_level=None, timeout=20, check_same_thread=False)
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 - an extra, only for PostgreSQL

    return ConnectionPool(plan.database, min_size=1, max_size=8, open=True)


async def _until_told(service: Service, board: Board) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await service.start()
    await asyncio.sleep(CONNECT_SECONDS)
    board.mark_ready()
    waiting = [asyncio.ensure_future(told.wait()), asyncio.ensure_future(service.wait())]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    if told.is_set():
        await service.stop(20.0)
    await service.wait()


if __name__ == "__main__":
    die_with_parent()
    main(sys.argv[1], Plan.from_json(sys.argv[2]), Board(Path(sys.argv[3])))
