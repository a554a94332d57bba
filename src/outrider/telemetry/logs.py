"""Events as log lines: JSON, or text where a person reads along. One record for an event, on stderr.

Invariant: every text passes redaction and escaping, so a field can neither leak a secret nor begin a second line
(OB-93, OB-95, NT-45, X9). Nothing else in the code writes logs.
"""

import dataclasses
import json
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, TextIO

from outrider.core import events
from outrider.core.events import Level
from outrider.core.text import escape_controls, redact
from outrider.runtime.system_clock import SystemClock

Format = Literal["auto", "json", "text"]

_LEVELS: Final[Mapping[Level, int]] = {
    "debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR,
}  # fmt: skip
VALUE_LIMIT: Final = 2_000
COLORS: Final = {
    "stamp": "\x1b[2m", "name": "\x1b[1m", "key": "\x1b[36m", "value": "\x1b[35m", "debug": "\x1b[32m", "info": "\x1b[32m",
    "warning": "\x1b[33m", "error": "\x1b[31m",
}  # fmt: skip
"""What a terminal paints each part of a line with."""
PLAIN: Final = "\x1b[0m"
DEBUG: Final = (
    events.MessageAdded, events.LeaseRenewed, events.TickOpened, events.BatchRead, events.PublishStarted,
    events.PublishAcknowledged, events.CursorAdvanced, events.MessageUnparked, events.ReceiptRecorded,
    events.DuplicateSkipped, events.WakeupHeard, events.GaugesRead, events.NotificationAttemptStarted,
    events.NotificationHeld, events.NotificationTotalsRead,
)  # fmt: skip
"""What happens with every batch or message: the healthy flow."""
WARNING: Final = (
    events.LeaseLost, events.PublishRefused, events.PublishUnknown, events.AdvanceRefused, events.RetryScheduled,
    events.DestinationPaused, events.ParkAlarmRaised, events.HandlerFailed, events.OrderRegressed, events.SuspectFound,
    events.BreakerOpened, events.MessageSwept, events.SweepAlarmRaised, events.ResendIgnored, events.RetentionExceeded,
    events.TraceDropped, events.NotificationFailed, events.NotificationSkipped, events.NotificationRecovered,
    events.NotificationLeaseLost, events.NotificationLateSuccess, events.NotificationFallback,
    events.NotificationDestinationOpened, events.NotificationUnrecognisedAnswer, events.NotificationSecretsPlain,
)  # fmt: skip
ERROR: Final = (
    events.MessageDied, events.MessageQuarantined, events.ServiceFailed, events.NotificationDead,
    events.NotificationUnknown, events.NotificationDestinationDisabled,
)  # fmt: skip
"""What waits for a person."""

CLIENTS: Final = ("apprise", "httpcore2", "httpx2", "requests", "urllib3")
"""Libraries that print URLs, which may be credentials, below WARNING (NT-45)."""

_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def level_of(event: events.TelemetryEvent) -> int:
    """The level of an event's line."""
    match event:
        case events.DrainEnded(clean=False):
            return logging.WARNING
        case events.ApplicationEvent(level=level):
            return _LEVELS[level]
        case _ if isinstance(event, ERROR):
            return logging.ERROR
        case _ if isinstance(event, WARNING):
            return logging.WARNING
        case _ if isinstance(event, DEBUG):
            return logging.DEBUG
    return logging.INFO


def name_of(event: events.TelemetryEvent) -> str:
    """`LaneTaken` as `lane.taken`: how a log line names its event."""
    told = event.said if isinstance(event, events.ApplicationEvent) else event
    return _WORD.sub(".", type(told).__name__).lower()


def quiet_clients() -> None:
    """Keep the loggers of client libraries at WARNING, whatever the root logger has: they print URLs (NT-45)."""
    for name in CLIENTS:
        logging.getLogger(name).setLevel(logging.WARNING)


class LogSink:
    """Writes each event as one line to `stream`, as `ports.telemetry.Telemetry`.

    `format` auto means text on a terminal and JSON elsewhere. Fields are those of the event; None is left out; spans are
    seconds. A line that cannot be written is dropped: telemetry never stops a message. Client libraries are kept quiet.
    """

    def __init__(self, stream: TextIO, *, level: Level = "info", format: Format = "auto", color: bool = True) -> None:  # noqa: A002  the setting's name
        quiet_clients()
        self._level = logging.getLevelNamesMapping()[level.upper()]
        self._stream = stream
        self._clock = SystemClock()
        text = format == "text" or (format == "auto" and stream.isatty())
        self._line = partial(_text, colors=COLORS if color and stream.isatty() else {}) if text else _json

    def emit(self, event: events.TelemetryEvent) -> None:
        """Write the event's line, if its level is wanted."""
        level = level_of(event)
        if level < self._level:
            return
        line = self._line(self._clock.now(), logging.getLevelName(level).lower(), name_of(event), fields_of(event))
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # the pipe is gone or the stream is closed
            return


def _json(now: datetime, level: str, name: str, fields: Mapping[str, Any]) -> str:
    stamp = now.isoformat().replace("+00:00", "Z")
    return json.dumps({**fields, "event": name, "level": level, "timestamp": stamp}, ensure_ascii=False, default=repr)


def _text(now: datetime, level: str, name: str, fields: Mapping[str, Any], *, colors: Mapping[str, str]) -> str:
    """`14:03:59.120000 [info     ] lane.taken           epoch=7 lane=2`, in the local time."""

    def painted(text: str, part: str) -> str:
        return f"{colors[part]}{text}{PLAIN}" if part in colors else text

    said = [f"{painted(key, 'key')}={painted(str(value), 'value')}" for key, value in sorted(fields.items())]
    stamp = f"{now.astimezone():%H:%M:%S.%f}"
    head = [painted(stamp, "stamp"), f"[{painted(f'{level:<9}', level)}]", painted(f"{name:<20}", "name")]
    return " ".join(head + said)


def fields_of(event: events.TelemetryEvent) -> dict[str, Any]:
    """The event's fields that say something, each text redacted and escaped."""
    if isinstance(event, events.ApplicationEvent):
        return {"service": event.service, **_fields(event.said)}
    return _fields(event)


def _fields(told: Any) -> dict[str, Any]:  # noqa: ANN401  an event, or an application's own dataclass
    found = {field.name: getattr(told, field.name) for field in dataclasses.fields(told)}
    return {name: _safe(value) for name, value in found.items() if value is not None}


def _safe(value: Any) -> Any:  # noqa: ANN401  fields are of any plain kind
    match value:
        case str():
            return escape_controls(redact(value))[:VALUE_LIMIT]
        case Mapping():
            return {_safe(str(key)): _safe(item) for key, item in value.items()}
        case tuple() | list():
            return [_safe(item) for item in value]
        case float():
            return round(value, 6)
    return value
