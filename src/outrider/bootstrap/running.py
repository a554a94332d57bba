"""What a program that runs services beside Outrider's is made of: the life of a service, signals, the host's clock, logs.

Source: spec/outbox.md section 2, OB-44.
"""

from typing import TextIO

from outrider.bootstrap.settings_model import Log
from outrider.core.errors import (
    ConfigurationError,
    MessageNotFound,
    MissingExtra,
    OutriderError,
    SchemaMismatch,
    StorageUnavailable,
)
from outrider.core.events import ApplicationEvent, MessageEvent, ReceiptRecorded, ServiceFailed, TelemetryEvent
from outrider.core.status import ReaderStatus
from outrider.ports.telemetry import Telemetry
from outrider.ports.tracing import Tracer
from outrider.runtime.service import Service
from outrider.runtime.shutdown import serve
from outrider.runtime.system_clock import SystemClock
from outrider.telemetry.fan_out import FanOut
from outrider.telemetry.logs import LogSink
from outrider.telemetry.metric import SECONDS, Metric

__all__ = [
    "SECONDS",
    "ApplicationEvent",
    "ConfigurationError",
    "FanOut",
    "MessageEvent",
    "MessageNotFound",
    "Metric",
    "MissingExtra",
    "OutriderError",
    "ReaderStatus",
    "ReceiptRecorded",
    "SchemaMismatch",
    "Service",
    "ServiceFailed",
    "StorageUnavailable",
    "SystemClock",
    "Telemetry",
    "TelemetryEvent",
    "Tracer",
    "log_lines",
    "serve",
]


def log_lines(stream: TextIO, settings: Log, *, color: bool) -> LogSink:
    """Our log lines on `stream`."""
    return LogSink(stream, level=settings.level, format=settings.format, color=color)
