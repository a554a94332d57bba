"""What the notifier tells: telemetry events of every change of a record, never a text or an address (NT-45)."""

from datetime import datetime, timedelta
from typing import Any, Final

from outrider.core.events.base import TelemetryEvent
from outrider.core.events.notifying import (
    NotificationAccepted,
    NotificationAttemptFinished,
    NotificationAttemptStarted,
    NotificationCanceled,
    NotificationDead,
    NotificationDestinationClosed,
    NotificationDestinationDisabled,
    NotificationDestinationOpened,
    NotificationDestinationProbed,
    NotificationDuplicate,
    NotificationEvent,
    NotificationFailed,
    NotificationFallback,
    NotificationHeld,
    NotificationLateSuccess,
    NotificationLeaseLost,
    NotificationMerged,
    NotificationRecovered,
    NotificationReopened,
    NotificationReplayed,
    NotificationResolved,
    NotificationSent,
    NotificationSkipped,
    NotificationSuperseded,
    NotificationUnknown,
    NotificationUnrecognisedAnswer,
)
from outrider.core.events.running import ServiceFailed
from outrider.core.notification.codes import Code
from outrider.core.notification.sending import SendResult
from outrider.notification.destination import DestinationRow, State
from outrider.notification.record import Record
from outrider.notification.states import Status
from outrider.notification.store.beginning import Begun
from outrider.notification.store.finishing import Finished
from outrider.notification.store.placing import Accepted
from outrider.ports.telemetry import Telemetry

ENDS: Final[dict[str, type[NotificationEvent]]] = {
    Status.DEAD: NotificationDead,
    Status.UNKNOWN: NotificationUnknown,
    Status.SKIPPED: NotificationSkipped,
    Status.CANCELED: NotificationCanceled,
}


REPORTED_AGAIN: Final = timedelta(days=1)
REPORTED_MAX: Final = 1_000
"""Provider codes that are remembered as told of: a provider that makes up codes fills no memory."""


class Telling:
    """Tells what happens to the records of one service."""

    def __init__(self, telemetry: Telemetry, service: str) -> None:
        self._telemetry, self._service = telemetry, service
        self._reported: dict[tuple[str, str], datetime] = {}

    def emit(self, event: TelemetryEvent) -> None:
        """Pass an event on."""
        self._telemetry.emit(event)

    def failed(self, role: str, code: str, error: str) -> None:
        """A part of the notifier could not do its work, and goes on."""
        self.emit(ServiceFailed(self._service, role, code, error))

    def accepted(self, found: Accepted) -> None:
        """A request was answered, by a new record or by one that was there."""
        if found.reused:
            self._tell(NotificationSuperseded if found.superseded else NotificationDuplicate, found.record)
            return
        self._tell(NotificationAccepted, found.record, fallback_used=found.record.fallback_used)
        self.ended(found.record)

    def begun(self, found: Begun) -> None:
        """A call is about to be made."""
        self._tell(NotificationAttemptStarted, found.record)
        for row in found.probed:
            self.emit(NotificationDestinationProbed(self._service, row.channel, row.label))

    def attempt_finished(self, begun: Begun, result: SendResult, seconds: float) -> None:
        """A call ended."""
        said = {"outcome": str(result.outcome), "error_class": result.error_class or "", "code": result.code or ""}
        own = result.provider_code or ""
        self._tell(NotificationAttemptFinished, begun.record, duration=seconds, provider_code=own, **said)
        if result.code == Code.UNRECOGNISED_ANSWER:
            self._unrecognised(begun, own)

    def finished(self, begun: Record, found: Finished) -> None:
        """A result was written, or another owned the record."""
        if found.lease_lost:
            self._tell(NotificationLeaseLost, begun)
        if found.late_success:
            self._tell(NotificationLateSuccess, found.record)
        elif not found.lease_lost:
            self._became(found)

    def recovered(self, found: Finished) -> None:
        """A record whose sender did not come back was settled."""
        self._tell(NotificationRecovered, found.record)
        self._became(found)

    def ended(self, record: Record, next_record: Record | None = None) -> None:
        """A record is at an end, if it is, and another takes its place, if one does."""
        if record.status == Status.SENT and record.sent_at is not None:
            seconds = (record.sent_at - record.created_at).total_seconds()
            self._tell(NotificationSent, record, priority=record.priority, since_accept=seconds)
        elif record.status in ENDS:
            self._tell(ENDS[record.status], record, code=record.last_error_code or "")
        if next_record is not None:
            self._tell(NotificationFallback, record, next_channel=next_record.channel)
            self._tell(NotificationAccepted, next_record, fallback_used=next_record.fallback_used)

    def held(self, record: Record) -> None:
        """A due record waits, or was given back."""
        if record.hold is not None and record.next_retry_at is not None:
            delay = (record.next_retry_at - record.updated_at).total_seconds()
            self._tell(NotificationHeld, record, reason=record.hold, delay=max(0.0, delay))

    def lease_lost(self, record: Record) -> None:
        """Another owns what this process had claimed."""
        self._tell(NotificationLeaseLost, record)

    def merged(self, record: Record, members: int) -> None:
        """So many members of a digest went into `record`."""
        self._tell(NotificationMerged, record, members=members)

    def reopened(self, record: Record) -> None:
        """A skipped record goes on."""
        self._tell(NotificationReopened, record)

    def replayed(self, record: Record, mode: str) -> None:
        """A person sends an ended record again."""
        self._tell(NotificationReplayed, record, mode=mode)

    def resolved(self, record: Record, by: str) -> None:
        """What became of an unknown record is known: a `person` or the channel's `lookup` said it."""
        self._tell(NotificationResolved, record, status=record.status, by=by)

    def turned(self, row: DestinationRow) -> None:
        """A destination is in another state now."""
        match row.state:
            case State.CLOSED:
                self.emit(NotificationDestinationClosed(self._service, row.channel, row.label))
            case State.DISABLED:
                self.emit(NotificationDestinationDisabled(self._service, row.channel, row.label, row.reason or ""))

    def _became(self, found: Finished) -> None:
        record = found.record
        if record.status == Status.FAILED and record.next_retry_at is not None:
            delay = (record.next_retry_at - record.updated_at).total_seconds()
            self._tell(NotificationFailed, record, code=record.last_error_code or "", delay=max(0.0, delay))
        self.ended(record, found.next_record)
        if found.turned is not None and found.turned.state == State.OPEN:
            row, now = found.turned, record.updated_at
            seconds = 0.0 if row.blocked_until is None else (row.blocked_until - now).total_seconds()
            said = (self._service, row.channel, row.label, record.last_error_code or "", max(0.0, seconds))
            self.emit(NotificationDestinationOpened(*said))
        elif found.turned is not None:
            self.turned(found.turned)

    def _unrecognised(self, begun: Begun, own: str) -> None:
        """Once a day for each code (NT-17)."""
        key, now = (begun.record.channel, own), begun.started_at
        told = self._reported.get(key)
        if told is not None and now - told < REPORTED_AGAIN:
            return
        if len(self._reported) >= REPORTED_MAX:
            self._reported.clear()
        self._reported[key] = now
        self._tell(NotificationUnrecognisedAnswer, begun.record, provider_code=own)

    def _tell(self, kind: type[NotificationEvent], record: Record, **more: Any) -> None:  # noqa: ANN401 - of each event
        self._telemetry.emit(
            kind(
                self._service,
                str(record.id),
                str(record.request_id),
                record.channel,
                record.kind,
                record.attempt_no,
                record.trace_id or "",
                **more,
            )
        )
