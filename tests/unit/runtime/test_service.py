"""The life of a service, and signals."""

import asyncio
import os
import signal

import pytest

from outrider.core.errors import LeaseLost, ServiceStateError
from outrider.runtime.service import Service, ServiceState
from outrider.runtime.shutdown import serve
from outrider.runtime.supervisor import Supervisor, first_error, wait_for_event


class Working(Service):
    """Works until drained; may refuse to end, or fail."""

    role = "test"

    def __init__(self, *, stubborn: bool = False, fails: bool = False) -> None:
        super().__init__()
        self.stubborn, self.fails = stubborn, fails
        self.told = asyncio.Event()
        self.began = asyncio.Event()

    def _forget_stop(self) -> None:
        self.told.clear()

    async def _serve(self) -> None:
        self.began.set()
        if self.fails:
            raise LeaseLost("gone")
        await self.told.wait()
        if self.stubborn:
            await asyncio.Event().wait()

    def _drain(self, timeout_seconds: float) -> None:
        assert timeout_seconds >= 0
        self.told.set()


async def test_states_and_what_is_refused_in_them() -> None:
    """OB-44: start, drain, stop, and again; anything else is a ServiceStateError."""
    service = Working()
    with pytest.raises(ServiceStateError):
        await service.wait()
    with pytest.raises(ServiceStateError):
        await service.stop(1)
    await service.start()
    assert service.ready
    with pytest.raises(ServiceStateError):
        await service.start()
    assert await service.stop(1)
    assert service.state is ServiceState.STOPPED
    await service.start()
    assert service.ready
    assert await service.stop(1)


async def test_a_stop_has_a_hard_cap() -> None:
    """OB-44: what has not ended by then is cancelled, and the stop was not clean."""
    service = Working(stubborn=True)
    await service.start()
    await service.began.wait()
    assert await service.stop(0.01) is False


async def test_a_failure_ends_the_service_and_is_raised() -> None:
    """OB-44: who waits is told; a failed service is stopped and not ready."""
    service = Working(fails=True)
    with pytest.raises(LeaseLost):
        await service.run()
    assert service.state is ServiceState.STOPPED
    assert not service.ready


async def test_the_first_signal_drains_and_the_second_exits() -> None:
    """OB-44: SIGTERM drains all and gives 0; a second one leaves at once."""
    exits: list[int] = []
    services = [Working(), Working()]
    running = asyncio.gather(serve(services, 5, exits.append))
    for service in services:
        await service.began.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    (code,) = await running
    assert code == 0
    assert exits == []

    stubborn = Working(stubborn=True)
    running = asyncio.gather(serve([stubborn], 0.2, exits.append))
    await stubborn.began.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await stubborn.told.wait()
    os.kill(os.getpid(), signal.SIGINT)
    (code,) = await running
    assert code == 1
    assert exits == [1]


async def test_when_one_service_fails_the_others_drain() -> None:
    """OB-44: its failure is raised after that."""
    well = Working()
    with pytest.raises(LeaseLost):
        await serve([well, Working(fails=True)], 5)
    assert well.told.is_set()


async def test_a_group_cancels_the_siblings_of_what_fails() -> None:
    """OB-44: no task outlives its group, and the first failure is found inside."""

    async def fail() -> None:
        raise LeaseLost("gone")

    never = asyncio.Event()

    async def wait() -> bool:
        return await never.wait()

    waiting: list[asyncio.Task[bool]] = []

    async def grouped() -> None:
        async with Supervisor() as group:
            waiting.append(group.start(wait(), "wait"))
            group.start(fail(), "fail")

    with pytest.raises(BaseExceptionGroup) as caught:
        await grouped()
    assert waiting[0].cancelled()
    assert isinstance(first_error(caught.value), LeaseLost)
    assert not await wait_for_event(never, 0.001)
