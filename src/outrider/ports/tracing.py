"""Where services tell a tracer of their work. Unlike an event, a span surrounds what it tells of: what the work does within
it belongs to it, and a message that is added there carries it along.

Nothing of a span stops a message: these calls never raise. Source: spec/outbox.md OB-93, section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from outrider.core.envelope import Envelope
from outrider.core.log_row import LogRow
from outrider.core.record import OutboxRecord

Describe = Callable[[Sequence[OutboxRecord]], None]


class Tracer(Protocol):
    """Makes spans. Callable from any thread."""

    @property
    def active(self) -> bool:
        """Whether anybody takes spans. Cheap: asked before every call, and nothing else is called while it is false."""
        ...

    def adding(self, service: str) -> AbstractContextManager[Describe]:
        """An `add`: the current span for as long as it lasts. What is added is described once it is known."""
        ...

    def working(self, name: str, traceparent: str, attributes: Mapping[str, str]) -> AbstractContextManager[None]:
        """Work of an application, as part of the trace of `traceparent`: the current span for as long as it lasts. Within a
        span of that trace it belongs to that one.
        """
        ...

    def published(
        self, rows: Sequence[LogRow], codes: Mapping[int, str], started_at: datetime, ended_at: datetime
    ) -> None:
        """A publish call that is over: a span for each row that carries a sampled trace, as part of that trace. `codes` says
        by index what was not acknowledged.
        """
        ...

    def handling(self, envelope: Envelope, topic: str, consumer: str, attempt: int) -> AbstractContextManager[None]:
        """One call of a handler, as part of the message's trace: the current span for as long as it lasts."""
        ...
