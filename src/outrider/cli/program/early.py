"""The end of a service that was told to stop before it hears signals itself: what it loads and begins with takes seconds.

Source: spec/outbox.md OB-44, spec/scheduling.md ST-70.
"""

import os
import signal
from collections.abc import Collection, Sequence
from typing import Final, NoReturn

ONCE: Final = "--once"


def hear_early(arguments: Sequence[str], services: Collection[tuple[str, ...]]) -> None:
    """From now on SIGTERM ends what these arguments start, cleanly, where they begin with the words of one of `services`; a
    second one at once. Once it serves, it drains. What is to be done `--once` is not done then, and dies of the signal.
    """
    if ONCE not in arguments and any(tuple(arguments[: len(words)]) == words for words in services):
        signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: object) -> NoReturn:
    """What is open is closed on the way out."""
    signal.signal(number, lambda *_: os._exit(1))
    raise SystemExit(0)
