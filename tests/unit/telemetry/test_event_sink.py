"""The sink that tests wait on."""

import asyncio
import threading

import pytest

from outrider.core.events import DrainStarted, LogPruned
from outrider.testing.events import EventSink


async def test_an_event_of_the_past_is_found_at_once() -> None:
    sink = EventSink()
    sink.emit(LogPruned("orders", "outbox_message", 3, 0.1))
    found = await sink.wait_for(LogPruned, lambda event: event.rows == 3)
    assert found.table == "outbox_message"


async def test_a_waiting_task_wakes_at_the_event_it_asked_for() -> None:
    sink = EventSink()
    waiting = asyncio.create_task(sink.wait_for(LogPruned, lambda event: event.rows > 1))

    def emit_two() -> None:
        for rows in (1, 2):
            sink.emit(LogPruned("orders", "t", rows, 0.0))

    threading.Thread(target=emit_two).start()
    assert (await waiting).rows == 2


def test_a_waiting_thread_wakes() -> None:
    sink = EventSink()
    threading.Thread(target=sink.emit, args=(DrainStarted("orders", "relay"),)).start()
    assert sink.wait_for_sync(DrainStarted).role == "relay"


async def test_a_wait_that_ends_in_vain_says_what_came() -> None:
    sink = EventSink()
    sink.emit(DrainStarted("orders", "relay"))
    with pytest.raises(TimeoutError, match="seen: DrainStarted x1"):
        await sink.wait_for(LogPruned, timeout_seconds=0.01)
    with pytest.raises(TimeoutError, match="no LogPruned"):
        sink.wait_for_sync(LogPruned, timeout_seconds=0.01)


def test_since_looks_only_at_later_events() -> None:
    sink = EventSink()
    sink.emit(DrainStarted("orders", "relay"))
    mark = sink.mark()
    assert sink.of(DrainStarted, since=mark) == []
    sink.clear()
    assert sink.events == ()
