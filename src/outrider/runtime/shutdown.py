"""Signals: the first SIGTERM or SIGINT drains, the second exits at once. Source: spec/outbox.md OB-44."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from outrider.runtime.service import Service, ServiceState
from outrider.runtime.supervisor import Supervisor

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


async def serve(
    services: Sequence[Service], drain_timeout_seconds: float, exit_now: Callable[[int], object] = os._exit
) -> int:
    """Run `services` until a signal, or until one of them ends; then drain all. Gives the exit code: 0 clean, 1 not.

    The first failure is raised after the others have drained. `exit_now` is called on the second signal.
    """
    told = asyncio.Event()

    def heard() -> None:
        if told.is_set():
            exit_now(1)
        told.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, heard)
    try:
        return await _serve(services, told, drain_timeout_seconds)
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def _serve(services: Sequence[Service], told: asyncio.Event, drain_timeout_seconds: float) -> int:
    async with Supervisor() as group:
        for service in services:
            await service.start()
        watched = [group.start(_ended(service, told), f"end of {service.role}") for service in services]
        await told.wait()
        running = [service for service in services if service.state is ServiceState.RUNNING]
        clean = await asyncio.gather(*(service.stop(drain_timeout_seconds) for service in running))
    for watch in watched:
        if (error := watch.result()) is not None:
            raise error
    return 0 if all(clean) else 1


async def _ended(service: Service, told: asyncio.Event) -> BaseException | None:
    """Wait for the service's end, which ends the others too. Gives what ended it."""
    try:
        await service.wait()
    except asyncio.CancelledError:
        return None
    except BaseException as error:  # noqa: BLE001 - told to the caller after the others have drained
        return error
    finally:
        told.set()
    return None
