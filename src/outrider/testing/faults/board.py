"""A few numbers in a file that two processes map: how far a victim is, exact up to the instant of its death."""

import mmap
import struct
import time
from pathlib import Path
from typing import Self

from outrider.core import events
from outrider.core.events.notifying import (
    NotificationAttemptFinished,
    NotificationAttemptStarted,
    NotificationEvent,
)

_FORMAT = struct.Struct("<qqdd")
_READY = struct.Struct("<q")
_BEGUN, _SETTLED, _FIRST, _LAST = range(4)
_SIZE = _FORMAT.size + _READY.size


class Board:
    """How much was begun and settled, and when something was settled first and last.

    Counts of messages; instants of CLOCK_MONOTONIC in seconds, 0 for never. One writer, any number of readers; each
    number is written whole.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SIZE)

    @property
    def begun(self) -> int:
        """How much was read, published or handled."""
        return int(self._values()[_BEGUN])

    @property
    def settled(self) -> int:
        """How much of it was settled: position written, or receipt committed."""
        return int(self._values()[_SETTLED])

    @property
    def in_flight(self) -> bool:
        """Whether something was begun that is not settled."""
        values = self._values()
        return bool(values[_BEGUN] > values[_SETTLED])

    @property
    def first_settled_at(self) -> float:
        """When this process settled something for the first time."""
        return float(self._values()[_FIRST])

    @property
    def last_settled_at(self) -> float:
        """When this process settled something last."""
        return float(self._values()[_LAST])

    @property
    def ready(self) -> bool:
        """Whether the process has started its work, and could settle something if it were its turn."""
        return bool(_READY.unpack_from(self._memory, _FORMAT.size)[0])

    def mark_ready(self) -> None:
        """Note that the process has started its work."""
        _READY.pack_into(self._memory, _FORMAT.size, 1)

    def begin(self, count: int) -> None:
        """Note that `count` in all were begun."""
        _, settled, first, last = self._values()
        _FORMAT.pack_into(self._memory, 0, count, settled, first, last)

    def settle(self, count: int) -> None:
        """Note that `count` in all were settled, now."""
        begun, _, first, _ = self._values()
        now = time.monotonic()
        _FORMAT.pack_into(self._memory, 0, begun, count, first or now, now)

    def reset(self) -> Self:
        """Begin anew, for the next process that writes here."""
        self._memory[:] = bytes(_SIZE)
        return self

    def _values(self) -> tuple[int, int, float, float]:
        return _FORMAT.unpack_from(self._memory, 0)


class RelaySink:
    """A telemetry sink that keeps the board of a relay: batches read from the log, positions written."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._begun = self._settled = 0

    def emit(self, event: events.TelemetryEvent) -> None:
        """Count what was read and what was settled. What an owner that lost its lane had read is nobody's any more."""
        match event:
            case events.BatchRead(due=False):
                self._begun += event.messages
                self._board.begin(self._begun)
            case events.CursorAdvanced():
                self._settled += event.messages
                self._board.settle(self._settled)
            case events.LaneTaken():
                self._begun = self._settled
                self._board.begin(self._begun)
            case _:
                pass


class ConsumerSink:
    """A telemetry sink that keeps the board of a consumer: handlers begun, as `begin` is told, and receipts recorded."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._begun = self._settled = 0

    def begin(self) -> None:
        """A handler has begun."""
        self._begun += 1
        self._board.begin(self._begun)

    def emit(self, event: events.TelemetryEvent) -> None:
        """Count what was settled."""
        if isinstance(event, events.ReceiptRecorded):
            self._settled += event.messages
            self._board.settle(self._settled)


class NotifierSink:
    """A telemetry sink that keeps the board of a notifier: calls begun, and calls of which the result was written."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._calling: set[str] = set()
        self._begun = self._settled = 0

    def emit(self, event: events.TelemetryEvent) -> None:
        """Count what was begun, and what came of it: the next event of a record after its call's end."""
        match event:
            case NotificationAttemptStarted():
                self._calling.add(event.record_id)
                self._begun += 1
                self._board.begin(self._begun)
            case NotificationAttemptFinished():
                pass
            case NotificationEvent() if event.record_id in self._calling:
                self._calling.remove(event.record_id)
                self._settled += 1
                self._board.settle(self._settled)
            case _:
                pass
