"""What a handler may answer instead of returning: `Reject` and `Retry`.

They are raised, but they are no errors and stand outside the tree of `core.errors`. Source: spec/outbox.md §10,
OB-58, OB-59.
"""

from datetime import timedelta
from typing import Any


class Reject(Exception):
    """The message must not be tried again: it is dead at once with `reason`, and a person decides."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(Exception):
    """Not now: try again after at least `delay` (None: by the retry policy; capped at 1 h).

    `counted=False` spends no attempt: it was not this message's fault.
    """

    def __init__(self, delay: timedelta | None = None, counted: bool = True) -> None:
        if delay is not None and delay < timedelta(0):
            raise ValueError("Retry(delay) must not be negative")
        super().__init__(delay, counted)
        self.delay = delay
        self.counted = counted

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.delay, self.counted)
