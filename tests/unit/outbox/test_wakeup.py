"""Hints: within a process, and how many a second go to the database."""

import asyncio
import threading

import pytest

from outrider.bootstrap.settings import notify_url
from outrider.core.errors import StorageUnavailable
from outrider.runtime.system_clock import SystemClock
from outrider.runtime.wakeup import SeveralWakeups, in_process, keep_listening, wakeup_channel
from outrider.storages.postgres.notify import TokenBucket


async def test_a_hint_wakes_a_listener_from_any_thread() -> None:
    """OB-43: also one that came before the wait; it is used up by waiting."""
    source = in_process("unit_hint")
    listener = source.listen()
    threading.Thread(target=source.wake).start()
    assert await listener.wait(10)
    assert not await listener.wait(0)
    source.wake()
    await asyncio.sleep(0)
    assert await listener.wait(10)
    await listener.close()
    source.wake()
    assert not await listener.wait(0)


def test_a_listener_of_a_closed_loop_is_forgotten() -> None:
    """OB-43: a hint never raises."""
    source = in_process("unit_closed")

    async def listen() -> None:
        source.listen()

    asyncio.run(listen())
    source.wake()
    assert source._listeners == ()


def test_one_wakeup_a_channel() -> None:
    """OB-43: an outbox and a relay of one process meet by the name of the service's tables."""
    assert in_process(wakeup_channel("orders_")) is in_process("orders_outrider")
    assert in_process("orders_outrider") is not in_process("billing_outrider")


def test_several_are_hinted_at_once() -> None:
    """OB-43: in-process and NOTIFY."""
    hints: list[str] = []

    class Noted:
        """Notes its name."""

        def __init__(self, name: str) -> None:
            self.name = name

        def wake(self) -> None:
            hints.append(self.name)

    SeveralWakeups(Noted("one"), Noted("two")).wake()
    assert hints == ["one", "two"]


def test_token_bucket_allows_a_burst_then_a_rate() -> None:
    """OB-43: 20 at once, then 20 a second, never more than 20 saved up."""
    bucket = TokenBucket(0.0)
    assert [bucket.take(0.0) for _ in range(20)] == [0.0] * 20
    assert bucket.take(0.0) == 0.05
    assert bucket.take(0.05) == 0.0
    assert bucket.take(0.05) > 0.0
    assert sum(bucket.take(1000.0) == 0.0 for _ in range(50)) == 20


def test_the_settings_say_whether_to_notify() -> None:
    """OB-43: off by default, PostgreSQL alone, and settings that are wrong elsewhere do not stop an outbox."""
    url = "postgresql://shop@localhost/shop"
    on = {"OUTRIDER_WAKEUP__NOTIFY": "true", "OUTRIDER_DATABASE__URL": url}
    assert notify_url(on) == url
    assert notify_url({**on, "OUTRIDER_RELAY__LANES": "many", "OUTRIDER_NO_SUCH": "1"}) == url
    assert notify_url({"OUTRIDER_DATABASE__URL": url}) is None
    assert notify_url({**on, "OUTRIDER_DATABASE__URL": "sqlite:///shop.db"}) is None
    assert notify_url({}) is None


class Hints:
    """Connections to listen on, one after another; each gives its hints, then is lost. None could not be made."""

    def __init__(self, *connections: int | None) -> None:
        self._connections = list(connections)
        self._left = 0
        self.closed = 0

    async def listen(self) -> "Hints":
        if not self._connections:
            raise asyncio.CancelledError
        hints = self._connections.pop(0)
        if hints is None:
            raise StorageUnavailable("down")
        self._left = hints
        return self

    async def wait(self, timeout_seconds: float) -> bool:  # noqa: ARG002 - as the port
        self._left -= 1
        if self._left < 0:
            raise StorageUnavailable("lost")
        return True

    async def close(self) -> None:
        self.closed += 1


class NotedClock(SystemClock):
    """Notes how long it was asked to sleep, and does not."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def chance(self) -> float:
        return 1.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_a_lost_connection_is_listened_on_anew() -> None:
    """OB-43: with growing back-off, beginning anew after each that came; every new LISTEN asks for one full read."""
    hints, clock, heard = Hints(2, None, None, None, None, None, 1), NotedClock(), list[bool]()
    with pytest.raises(asyncio.CancelledError):
        await keep_listening(hints.listen, lambda: heard.append(True), clock)
    assert len(heard) == (1 + 2) + (1 + 1)
    assert hints.closed == 2
    assert [seconds for seconds in clock.slept if seconds] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 0.1]
