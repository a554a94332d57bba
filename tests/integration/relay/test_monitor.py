"""The pages beside a service: what they say while it starts, works, drains and has ended."""

import asyncio
import json
from pathlib import Path

from outrider.bootstrap.monitor import Monitor
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import site
from outrider.core.catalog import Catalog
from outrider.core.events import GaugesRead, HealthOpened, ServiceFailed
from outrider.runtime.service import Service
from outrider.testing.events import EventSink


class Slow(Service):
    """Works until told to stop, and then until it is let go."""

    role = "relay"

    def __init__(self) -> None:
        super().__init__()
        self.told, self.let_go = asyncio.Event(), asyncio.Event()

    async def _serve(self) -> None:
        await self.told.wait()
        await self.let_go.wait()

    def _drain(self, timeout_seconds: float) -> None:  # noqa: ARG002
        self.told.set()


async def asked(port: int | None, path: str) -> tuple[int, dict[str, object]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


def monitor(folder: Path, sink: EventSink) -> Monitor:
    """Beside a service whose tables are not there."""
    values = {
        "service.name": "orders", "database.url": f"sqlite:///{folder}/orders.db", "runtime.health_port": 0,
    }  # fmt: skip
    return Monitor(site(make(values), Catalog("orders")), sink, "relay")


async def test_a_process_is_alive_throughout_and_ready_while_it_works(tmp_path: Path) -> None:
    """OB-44: not ready from the moment it is told to stop; alive until it has, so that nothing kills it before."""
    sink, service = EventSink(), Slow()
    async with monitor(tmp_path, sink) as pages:
        assert (await sink.wait_for(HealthOpened)).port == pages.port
        assert await asked(pages.port, "/readyz") == (503, {"ready": False, "reasons": {"relay": "starting"}})
        pages.watch([service])
        await service.start()
        assert await asked(pages.port, "/readyz") == (200, {"ready": True, "reasons": {}})
        stopping = asyncio.ensure_future(service.stop(10))
        await service.told.wait()
        assert await asked(pages.port, "/readyz") == (503, {"ready": False, "reasons": {"relay": "draining"}})
        assert await asked(pages.port, "/livez") == (200, {"alive": True})
        service.let_go.set()
        assert await stopping
        assert await asked(pages.port, "/readyz") == (503, {"ready": False, "reasons": {"relay": "stopped"}})


async def test_what_cannot_be_measured_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """OB-92: the tables are missing; the pages answer all the same."""
    sink = EventSink()
    async with monitor(tmp_path, sink) as pages:
        failed = await sink.wait_for(ServiceFailed)
        assert (failed.role, sink.of(GaugesRead)) == ("monitor", [])
        assert (await asked(pages.port, "/livez"))[0] == 200
