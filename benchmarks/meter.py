"""What a process measures of itself: the time from the first read to the last written position, its CPU time, its memory."""

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

from outrider.core.events import BatchRead, CursorAdvanced, ServiceFailed, TelemetryEvent


class Meter:
    """A telemetry sink that times a drain: first `BatchRead` (its own duration included) to last `CursorAdvanced`."""

    def __init__(self, messages: int) -> None:
        self._left = messages
        self.messages = messages
        self.began: float | None = None
        self.cpu_began = 0.0
        self.failure = ""
        self.done = asyncio.Event()
        self.result: dict[str, Any] = {}

    def emit(self, event: TelemetryEvent) -> None:
        """Take the times; everything else is passed over."""
        kind = type(event)
        if kind is BatchRead and self.began is None:
            assert isinstance(event, BatchRead)
            self.began = time.perf_counter() - event.duration
            self.cpu_began = cpu_seconds()
        elif kind is CursorAdvanced:
            assert isinstance(event, CursorAdvanced)
            self._left -= event.messages
            if self._left <= 0 and self.began is not None and not self.done.is_set():
                self._finish()
        elif kind is ServiceFailed:
            assert isinstance(event, ServiceFailed)
            self.failure = f"{event.code}: {event.error}"

    def _finish(self) -> None:
        assert self.began is not None
        seconds = time.perf_counter() - self.began
        cpu = cpu_seconds() - self.cpu_began
        self.result = {
            "rate": self.messages / seconds, "seconds": seconds, "cpu_s_per_100k": cpu / self.messages * 100_000,
            "rss_mb": peak_rss_mb(),
        }  # fmt: skip
        self.done.set()


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_mb() -> float:
    """The most memory that this process has held, in MiB; `ru_maxrss` would count the parent's before the exec."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell VmHWM")
