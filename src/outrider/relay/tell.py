"""Telling what happens in a lane: telemetry events with the lane's names filled in."""

from collections.abc import Callable
from typing import Any

from outrider.core.events import LaneEvent, MessageEvent
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
