"""Suspects: messages that seem to kill the process that has them in hand, or that never get an answer.

Invariant: a message is suspected only where its mark, written before it was tried alone, is found by an owner whose two
predecessors died as well with nothing coming back; and it is dead only where both of its later tries, alone, ended like
that too. Silence alone never kills (OB-36, OB-40, H45, H46).
"""

from datetime import timedelta
from typing import Final, Generic, NamedTuple, TypeVar

from outrider.core.deliveries import Due, NewDelivery, insert_new
from outrider.core.delivery import Status
from outrider.core.lane import Cursor
from outrider.core.log_row import LogRow
from outrider.core.outcome import Refusal, Refused
from outrider.core.retry import RetryPolicy
from outrider.core.steps import Statement, Steps

T = TypeVar("T")

CAREFUL_STARTS: Final = 2
"""From this start on a lane goes one message at a time, each marked first."""
SUSPECT_STARTS: Final = 3
"""At this start, and later ones, the message found marked is the suspect."""

SUSPECT: Final = "suspect"
SUSPECT_AGAIN: Final = "suspect_again"
SUSPECT_LAST: Final = "suspect_last"
"""Causes of a row that is tried alone: not yet, once, twice. Each is written before the try that it counts, so that it is
true whether or not the process lives to see the outcome."""
SUSPECTED: Final = frozenset({SUSPECT, SUSPECT_AGAIN, SUSPECT_LAST})
SILENT: Final = "silent"
"""Cause of a row whose message got no answer while others of its destination did."""
NEXT: Final = {SUSPECT: SUSPECT_AGAIN, SUSPECT_AGAIN: SUSPECT_LAST}
ALONE: Final = SUSPECTED | {SILENT}
"""Causes of rows that are tried with nothing beside them."""
SILENT_TRIES: Final = 3
"""Tries without an answer, after which the next key's head tries too."""

CRASHED: Final = Refused(
    Refusal.PERMANENT, "suspect.crash", "the process that had this message in hand, alone, died each time"
)
UNANSWERED: Final = Refused(
    Refusal.TRANSIENT, "suspect.unknown", "no answer to this message, while others of its destination got theirs"
)
VERDICT: Final = timedelta(seconds=1)
_FIRST_SILENT_SECONDS: Final = 1.0


class Start(NamedTuple, Generic[T]):
    """How an owner begins: `starts` to be written with its first mark, whether it goes carefully, and whom it suspects."""

    starts: int
    careful: bool
    suspect: T | None


def judge_start(starts: int, marked_id: T | None) -> Start[T]:
    """How the owner of a lane begins, by what its predecessors left: `starts` counts it as well.

    A mark that is found before the third start proves nothing yet (its writer had got something through, so it may have
    been killed from outside), and the next owner goes carefully as well.
    """
    if marked_id is None:
        return Start(starts, starts >= CAREFUL_STARTS, None)
    if starts >= SUSPECT_STARTS:
        return Start(0, careful=False, suspect=marked_id)
    return Start(max(starts, CAREFUL_STARTS), careful=True, suspect=None)


def armed_delay(policy: RetryPolicy, cause: str) -> timedelta:
    """How far ahead a suspect's row is due while it is tried under `cause`: the second delay, or, at its last try, a moment,
    after which it is found dead. Somebody who is still at it holds the row's lock.
    """
    return timedelta(seconds=policy.suspect_delays[1]) if cause == SUSPECT_AGAIN else VERDICT


def silent_delay(policy: RetryPolicy, failing_for: timedelta, chance: float) -> timedelta:
    """When a message without an answer is tried again: after as long as it has been silent, up to the longest delay."""
    longest = policy.suspect_delays[-1]
    seconds = min(longest, max(_FIRST_SILENT_SECONDS, failing_for.total_seconds()))
    return timedelta(seconds=seconds * (0.5 + 0.5 * chance))


def park_suspect(cursor: Cursor, log_id: int, delay: timedelta) -> Steps[LogRow | None]:
    """Give the marked message a row, due `delay` from now, in a transaction that has locked the lane.

    Statement `find_suspect`, params `subscription_id`, `log_id` → at most one row: id, message id text, kind, key, status,
    attempts and cause of the delivery that it has (None: none). None where it is finished or dead already, or gone, and where
    it is a suspect: then it died in a try alone, and what that try left in its row stands.
    """
    params = {"subscription_id": cursor.key.subscription_id, "log_id": log_id}
    rows = yield Statement("find_suspect", params)
    if not rows or rows[0][4] not in {None, Status.WAITING, Status.RETRYING, Status.PARKED} or rows[0][6] in SUSPECTED:
        return None
    row: LogRow = (*rows[0][:4], b"", "", None)
    new = NewDelivery(row, Status.RETRYING, SUSPECT, attempts=rows[0][5] or 0, delay=delay, refused=CRASHED)
    yield from insert_new(cursor.key, [new])
    return row


def named(due: Due, cause: str) -> Due:
    """The same delivery under another cause, to be written with its next change."""
    return due._replace(cause=cause)
