"""The invariants I1 to I8 as far as the tables tell: what must never be found.

Invariant: looking changes nothing, and a finding names what it found. Duplicates at a broker (I8) and rolled-back
messages that arrived there (I2) stand in no table: fault runs prove those. Source: reference/hazards.md section 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from outrider.core.identity import key_hash
from outrider.core.steps import Statement, Steps

SHOWN_MAX: Final = 20
HASHES: Final = 5_000
Progress = Callable[[int, int], None]
"""Told how much is looked at, of how much."""


class Check(NamedTuple):
    """One thing that must not be found: its statement gives a row (subject text) for each, at most `limit`."""

    invariant: str
    statement: str
    found: str


CHECKS: Final = (
    Check("I1", "verify_lost", "an undecided exception row whose message is gone from the log"),
    Check("I1", "verify_unconsumed", "published long ago, expected here, and neither consumed nor set aside"),
    Check("I2", "verify_strangers", "an exception row that is not of the message it points at"),
    Check("I3", "verify_order", "an effect that came before an earlier message's of its key"),
    Check("I3", "verify_overtaken", "a parked message that a later one of its key may overtake"),
    Check("I4", "verify_unreceipted", "handled, and there is no receipt to keep it from being handled again"),
    Check("I5", "verify_abandoned", "parked with nothing in front of it"),
    Check("I5", "verify_overdue", "due for long, and not sent: is a relay running?"),
    Check("I5", "verify_overdue_inbox", "due for long, and not handled: is the consumer running?"),
    Check("I6", "verify_incomplete", "dead without code, reason or time"),
    Check("I6", "verify_dead_consumed", "dead although its receipts are there"),
    Check("I7", "verify_positions", "a position that went back"),
    Check("I8", "verify_repeated", "more messages passed than the log ever had: some went out twice without a fault"),
    Check("I7", "verify_done", "an exception row that is done, without saying when and how"),
)


@dataclass(frozen=True, slots=True)
class Broken:
    """What was found against one invariant: at most `SHOWN_MAX` subjects, `more` where there are others."""

    invariant: str
    found: str
    subjects: tuple[str, ...]
    more: bool = False


def verify(
    patience: timedelta, redeliver_after: timedelta, keep: timedelta, tell: Progress | None = None
) -> Steps[list[Broken]]:
    """Look for all of it. `patience` is how long anything healthy may rest: lease, longest back-off, a poll (I5).

    Statements: those of CHECKS with `limit`, `patience`, `redeliver_after`, `keep`; `unknown_statuses` → rows (table, status,
    count); `verify_hashes` (after, limit) → rows (id, message_id, key, key_hash); `count_messages` → (count).
    """
    findings = []
    spans = {"patience": patience, "redeliver_after": redeliver_after, "keep": keep}
    for index, check in enumerate(CHECKS):
        _tell(tell, index, len(CHECKS))
        rows = yield Statement(check.statement, {**spans, "limit": SHOWN_MAX + 1})
        if rows:
            subjects = tuple(str(subject) for (subject,) in rows[:SHOWN_MAX])
            findings.append(Broken(check.invariant, check.found, subjects, more=len(rows) > SHOWN_MAX))
    unknown = yield Statement("unknown_statuses")
    if unknown:
        subjects = tuple(f"{table}: {status} x{count}" for table, status, count in unknown)
        findings.append(Broken("I7", "a status that this release does not know: left alone", subjects))
    return findings + (yield from verify_hashes(tell))


def verify_hashes(tell: Progress | None = None) -> Steps[list[Broken]]:
    """Recompute the key hash of every message: a wrong one sends a key to two lanes (I3, OB-13)."""
    ((total,),) = yield Statement("count_messages")
    wrong: list[str] = []
    after = seen = 0
    while rows := (yield Statement("verify_hashes", {"after": after, "limit": HASHES})):
        wrong += [f"message {id_}" for id_, message_id, key, stored in rows if key_hash(key, message_id) != stored]
        after, seen = rows[-1][0], seen + len(rows)
        _tell(tell, seen, max(total, seen))
    if not wrong:
        return []
    return [Broken("I3", "a key hash that is not its key's", tuple(wrong[:SHOWN_MAX]), more=len(wrong) > SHOWN_MAX)]


def _tell(tell: Progress | None, done: int, total: int) -> None:
    if tell is not None:
        tell(done, total)
