"""What the notifier tells: telemetry events of every change of a record, never a text or an address (NT-45)."""

from typing import Any, Final

from outrider.core.events.base import TelemetryEvent
from outrider.core.events.notifying import (
    NotificationAccepted,
    NotificationAttemptFinished,
    NotificationAttemptStarted,
    NotificationCanceled,
    NotificationDead,
    NotificationDestinationDisabled,
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
    NotificationSent,
    NotificationSkipped,
    NotificationSuperseded,
    NotificationUnknown,
)
from outrider.core.notification.sending import SendResult
from outrider.notification.record import Record
from outrider.notification.states import Status
from outrider.notification.store.accepting import Accepted
from outrider.notification.store.finishing import Finished
from outrider.ports.telemetry import Telemetry

ENDS: Final[dict[str, type[NotificationEvent]]] = {
    Status.DEAD: NotificationDead,
    Status.UNKNOWN: NotificationUnknown,
    Status.SKIPPED: NotificationSkipped,
    Status.CANCELED: NotificationCanceled,
}


class Telling:
    """Tells what happens to the records of one service."""

    def __init__(self, telemetry: Telemetry, service: str) -> None:
        self._telemetry, self._service = telemetry, service

    def emit(self, event: TelemetryEvent) -> None:
        """Pass an event on."""
        self._telemetry.emit(event)

    def accepted(self, found: Accepted) -> None:
        """A request was answered, by a new record or by one that was there."""
        if found.reused:
            self._tell(NotificationSuperseded if found.superseded else NotificationDuplicate, found.record)
            return
        self._tell(NotificationAccepted, found.record)
        self.ended(found.record)

    def attempt_started(self, record: Record) -> None:
        """A call is about to be made."""
        self._tell(NotificationAttemptStarted, record)

    def attempt_finished(self, record: Record, result: SendResult, seconds: float) -> None:
        """A call ended."""
        said = {"outcome": str(result.outcome), "error_class": result.error_class or "", "code": result.code or ""}
        self._tell(NotificationAttemptFinished, record, duration=seconds, **said)

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
            self._tell(NotificationAccepted, next_record)

    def held(self, record: Record) -> None:
        """A due record waits, or was given back."""
        if record.hold is not None and record.next_retry_at is not None:
            delay = (record.next_retry_at - record.updated_at).total_seconds()
            self._tell(NotificationHeld, record, reason=record.hold, delay=max(0.0, delay))

    def lease_lost(self, record: Record) -> None:
        """Another owns what this process had claimed."""
        self._tell(NotificationLeaseLost, record)

    def merged(self, record: Record) -> None:
        """Members of a digest went into `record`."""
        self._tell(NotificationMerged, record)

    def reopened(self, record: Record) -> None:
        """A skipped record goes on."""
        self._tell(NotificationReopened, record)

    def _became(self, found: Finished) -> None:
        record = found.record
        if record.status == Status.FAILED and record.next_retry_at is not None:
            delay = (record.next_retry_at - record.updated_at).total_seconds()
            self._tell(NotificationFailed, record, code=record.last_error_code or "", delay=max(0.0, delay))
        self.ended(record, found.next_record)
        if found.disabled is not None:
            row = found.disabled
            event = NotificationDestinationDisabled(self._service, row.channel, row.label, row.reason or "")
            self._telemetry.emit(event)

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
