"""Work of unknown cost, done in a process of its own that can be ended.

Invariant: whatever the work does, the caller gets an answer or a reason in bounded time. Source: ST-16, ST-34, §18.
"""

from datetime import timedelta
from typing import Literal, Protocol


class ApartFailed(Exception):
    """The process gave no answer; `reason`: `timeout` (it was ended) · `died` · `too_large`."""

    def __init__(self, reason: Literal["timeout", "died", "too_large"]) -> None:
        super().__init__(reason)
        self.reason = reason


class Apart(Protocol):
    """Runs one of our modules in a process of its own."""

    async def run(self, module: str, given: bytes, *, wall_limit: timedelta, answer_max: int) -> bytes:
        """What `python -m module` writes when it is given these bytes on stdin. Raises ApartFailed.

        The process is ended at `wall_limit`, when it writes more than `answer_max` bytes, and when the caller is cancelled.
        """
        ...
