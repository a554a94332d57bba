"""What calls of the fake provider meet: mostly a short wait, and every way of not being told what became of a call."""

import random

from outrider.testing.feishu import Answer, Fault, FaultKind
from outrider.testing.feishu.answers import app_answer
from outrider.testing.feishu.script import Endpoint, Entry

LATENCY_SECONDS = 0.05
LATE_SECONDS = 0.8  # later than a call may last
FAULTS: tuple[tuple[float, Entry], ...] = (
    (0.06, Fault(FaultKind.LOSE)),
    (0.02, Fault(FaultKind.HANG)),
    (0.03, Fault(FaultKind.TRUNCATE)),
    (0.02, Fault(FaultKind.EMPTY)),
    (0.01, Fault(FaultKind.HTML)),
    (0.02, Fault(FaultKind.DELAY, seconds=LATE_SECONDS)),
    (0.02, Fault(FaultKind.DROP)),
    (0.01, Answer(500)),
    (0.01, Answer(503)),
)
BEING_SENT = (0.01, app_answer(230049))


class Weather:
    """Chooses for `Script.choose`; a call for a token goes well. `latency`: what each answer takes, where it is not left to
    chance.
    """

    def __init__(self, seed: int, latency: float | None = None) -> None:
        self._chance, self._latency = random.Random(f"{seed}/weather"), latency

    def __call__(self, endpoint: Endpoint) -> Entry:
        """What the next call of this endpoint meets."""
        if endpoint == "token":
            return None
        drawn = self._chance.random()
        for share, entry in (*FAULTS, BEING_SENT) if endpoint == "app" else FAULTS:
            if drawn < share:
                return entry
            drawn -= share
        latency = self._chance.random() * LATENCY_SECONDS if self._latency is None else self._latency
        return Fault(FaultKind.DELAY, seconds=latency)
