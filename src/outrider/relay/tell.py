"""Telling what happens in a lane: telemetry events with the lane's names filled in."""

from collections.abc import Callable
from typing import Any

from outrider.core.deliveries import Changes
from outrider.core.delivery import Status
from outrider.core.events import LaneEvent, MessageDied, MessageEvent, MessageParked, PublishRefused
from outrider.core.log_row import LogRow, parse_kind
from outrider.ports.telemetry import Telemetry


class Tell:
    """Emits events of one lane under one epoch."""

    def __init__(self, telemetry: Telemetry, service: str, subscription: str, lane: int, epoch: int) -> None:
        self._telemetry = telemetry
        self._service, self._subscription, self._lane, self._epoch = service, subscription, lane, epoch

    def lane(self, event: Callable[..., LaneEvent], **fields: Any) -> None:  # noqa: ANN401 - the event's own fields
        """Emit an event of the lane."""
        self._telemetry.emit(
            event(service=self._service, subscription=self._subscription, lane=self._lane, epoch=self._epoch, **fields)
        )

    def message(self, event: Callable[..., MessageEvent], row: LogRow, **fields: Any) -> None:  # noqa: ANN401 - as above
        """Emit an event of one message."""
        kind = parse_kind(row[2])
        self._telemetry.emit(
            event(
                service=self._service, reader=self._subscription, message_id=row[1], type=kind.type,
                destination=kind.topic, log_id=row[0], **fields,
            )
        )  # fmt: skip

    def decided(self, changes: Changes) -> None:
        """Tell what was decided before sending: parked, waiting, refused here."""
        for due, cause in changes.parked:
            self.message(MessageParked, due.row, cause=cause)
        for new in changes.new:
            if new.status is not Status.DEAD:
                self.message(MessageParked, new.row, cause=new.cause)
            elif new.refused is not None:
                self.message(PublishRefused, new.row, code=new.refused.code, refusal=str(new.refused.refusal))
                self.message(MessageDied, new.row, attempt=new.attempts, code=new.refused.code)
