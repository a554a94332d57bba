"""The end of a service that was told to stop before it hears signals itself: what it loads and begins with takes seconds.

Source: spec/scheduling.md ST-70; spec/outbox.md OB-44.
"""

import os
import signal
from collections.abc import Sequence
from typing import Final, NoReturn

SERVICES: Final = frozenset({"serve", "worker"})


def hear_early(arguments: Sequence[str]) -> None:
    """From now on SIGTERM ends what these arguments start, cleanly; a second one at once. Once it serves, it drains."""
    if arguments and arguments[0] in SERVICES:
        signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: object) -> NoReturn:
    """What is open is closed on the way out."""
    signal.signal(number, lambda *_: os._exit(1))
    raise SystemExit(0)
