"""What the processes of the poison campaign do: a publisher and a handler that look at the body and die of some messages,
and the load that adds them among healthy ones.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from faults.shop import TYPE, Cell, catalog
from outrider import Message, Outbox
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow
from outrider.core.outcome import Published, PublishOutcome, Refusal, Refused, Unknown
from outrider.ports.broker import Publisher
from outrider.testing.faults import Board

CELL = "poison"
KEYS = 200
KINDS = ("kills_relay", "garbled", "unanswered", "kills_consumer", "refused")
"""In this order, so that what each disturbs is over when the next one comes."""
POISON = b'"poison":"'


def kind_of(body: bytes) -> str:
    """The kind of poison that a body is, empty for none."""
    _, found, rest = body.partition(POISON)
    return rest.partition(b'"')[0].decode() if found else ""


class PoisonPublisher:
    """A publisher that dies of some messages, has no answer to others, and refuses a third kind."""

    def __init__(self, inner: Publisher) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the publisher's own
        return getattr(self._inner, name)

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:
        """As the publisher, with the poison's own outcomes."""
        kinds = {index: kind for index, row in enumerate(rows) if (kind := kind_of(row[4]))}
        if "kills_relay" in kinds.values():
            os.kill(os.getpid(), signal.SIGKILL)
        own: dict[int, PublishOutcome] = {}
        for index, kind in kinds.items():
            if kind == "unanswered":
                own[index] = Unknown("publish.timeout", "no answer came")
            elif kind == "refused":
                own[index] = Refused(Refusal.PERMANENT, "publish.refused", "the destination will never take it")
        places = [index for index in range(len(rows)) if index not in own]
        started = time.monotonic()
        if places:
            published = await self._inner.publish([rows[index] for index in places], deadline_seconds, urgent=urgent)
            own |= {places[index]: outcome for index, outcome in published.exceptions.items()}
        if "unanswered" in kinds.values():
            await asyncio.sleep(max(0.0, deadline_seconds - (time.monotonic() - started)))
        return Published(own)


def poisoned(publishers: Callable[[LaneKey], Publisher]) -> Callable[[LaneKey], Any]:
    """The same publishers, with the hook."""
    return lambda lane: PoisonPublisher(publishers(lane))


def handle(event: dict[str, Any], tx: Any, context: Any) -> None:  # noqa: ANN401 - psycopg's connection
    """Note the arrival, or die."""
    if event.get("poison") == "kills_consumer":
        os.kill(os.getpid(), signal.SIGKILL)
    tx.execute("INSERT INTO arrived (message_id) VALUES (%s)", (context.message.message_id,))


@dataclass
class Load:
    """Adds messages at a steady rate, one in `spacing` poison."""

    cell: Cell
    board: Board
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Add all, then end."""
        outbox, spacing = Outbox(catalog(CELL), "shop"), int(self.cell.seconds)
        began = time.monotonic()
        with psycopg.connect(self.cell.database, autocommit=True) as connection:
            for number in range(self.cell.messages):
                if self.stopped.wait(max(0.0, began + number / self.cell.rate - time.monotonic())):
                    return
                nth = number // spacing - 1 if number % spacing == 0 else -1
                kind = KINDS[nth % len(KINDS)] if 0 <= nth < self.cell.keys else ""
                with connection.transaction():
                    (added,) = outbox.add(connection, _message(number, kind))
                    connection.execute(
                        "INSERT INTO added VALUES (%s, %s, %s, clock_timestamp())", (added.message_id, number, kind)
                    )
                self.board.settle(number + 1)


def _message(number: int, kind: str) -> Message:
    if kind == "garbled":
        return Message(TYPE, b'{"poison":"garbled", ', key=f"poison-{number}", content_type="application/json")
    key = f"poison-{number}" if kind else f"customer-{number % KEYS}"
    return Message(TYPE, {"number": number} | ({"poison": kind} if kind else {}), key=key)
