"""What limits and breakers count on: whether a send may go there now, and what its outcome changes.

Invariant: everybody who sends decides from the one row, locked, so that all processes share its rate and its probe. A
refused send costs nothing; at most one probe is under way. Source: spec/notification.md NT-23 to NT-27.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import Rate
from outrider.notification.buckets import emptied, free_at, taken
from outrider.notification.policy import BreakerPolicy

PAUSE_LEAST: Final = timedelta(seconds=1)
PAUSE_LOOK: Final = timedelta(minutes=1)
"""How far what waits for a person's pause is moved on at a time; resuming makes it due at once."""
SPREAD: Final = 0.2
LIMIT_MAX: Final = timedelta(hours=6)
_DOUBLINGS_MAX: Final = 20
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DOWN: Final = frozenset({ErrorClass.UNAVAILABLE, ErrorClass.AMBIGUOUS})


class State(StrEnum):
    """Whether a destination takes anything."""

    CLOSED = "closed"
    """It does."""
    OPEN = "open"
    """It failed again and again: nothing until `blocked_until`."""
    HALF_OPEN = "half_open"
    """One probe is under way."""
    PAUSED = "paused"
    """By a person, until a person resumes it."""
    DISABLED = "disabled"
    """Switched off by its answers; a changed setting or a good test send switches it on."""


class Hold(StrEnum):
    """Why a due record does not go yet; costs no attempt (T2)."""

    DELIVER_AT = "deliver_at"
    QUIET = "quiet"
    DIGEST = "digest"
    RATE = "rate"
    BREAKER = "breaker"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """A row of `notification_destination`. `opens`: how often the breaker opened since the last success; `failures` and
    `strikes` are in a row; `first_failure_at` is the first since the last success.
    """

    key: bytes
    channel: str
    label: str
    state: str = State.CLOSED
    blocked_until: datetime | None = None
    failures: int = 0
    strikes: int = 0
    opens: int = 0
    first_failure_at: datetime | None = None
    last_success_at: datetime | None = None
    probe_owner: str | None = None
    probe_until: datetime | None = None
    tat_short: int = 0
    tat_minute: int = 0
    reason: str | None = None
    version: int = 1


NOTED_SHARE: Final = 1_440
"""A success is noted again after this part of the time without one that switches a destination off: a row that all senders
lock is not written for less."""


@dataclass(frozen=True, slots=True)
class Held:
    """Not now: look again at `until`."""

    until: datetime
    reason: Hold


@dataclass(frozen=True, slots=True)
class Disabled:
    """Never, until somebody changes something; `reason` is the code that switched it off."""

    reason: str | None


def admit(
    row: DestinationRow, rates: tuple[Rate, ...], now: datetime, *, sender: str, probe_until: datetime
) -> DestinationRow | Held | Disabled:
    """Take a token, and the probe of a broken destination: the row as it is then; or why not.

    `sender` names the one send; `probe_until` is when it counts as lost if it was the probe.
    """
    why = barred(row, now)
    if why is not None:
        return why
    full = [free_at(rate, arrival) for rate, arrival in zip(rates, arrivals_of(row), strict=False)]
    if full and max(full) > now:
        return Held(max(full), Hold.RATE)
    row = _with_arrivals(
        row, [taken(rate, arrival, now) for rate, arrival in zip(rates, arrivals_of(row), strict=False)]
    )
    if row.state in {State.OPEN, State.HALF_OPEN}:
        return replace(row, state=State.HALF_OPEN, probe_owner=sender, probe_until=probe_until)
    return replace(row, blocked_until=None)


def barred(row: DestinationRow, now: datetime) -> Held | Disabled | None:
    """Why nothing goes there at `now`, whatever the rate."""
    match row.state:
        case State.DISABLED:
            return Disabled(row.reason)
        case State.PAUSED:
            return Held(now + PAUSE_LOOK, Hold.PAUSED)
        case State.HALF_OPEN if row.probe_until is not None and row.probe_until > now:
            return Held(row.probe_until, Hold.BREAKER)
        case State.OPEN | State.CLOSED if row.blocked_until is not None and row.blocked_until > now:
            return Held(row.blocked_until, Hold.BREAKER if row.state == State.OPEN else Hold.RATE)
    return None


def arrivals_of(row: DestinationRow) -> tuple[int, int]:
    """Its buckets, the shorter span first."""
    return row.tat_short, row.tat_minute


def is_probe(row: DestinationRow, sender: str) -> bool:
    """Whether the send that `sender` made is the one that a broken destination waits for."""
    return row.state == State.HALF_OPEN and row.probe_owner == sender


def after(
    row: DestinationRow, rates: tuple[Rate, ...], result: SendResult, policy: BreakerPolicy, now: datetime, chance: float,
    *, sender: str,
) -> DestinationRow:  # fmt: skip
    """The row after this outcome of a send that `sender` made there; `chance` is uniform in [0, 1).

    A disabled or paused one keeps its state. Of a broken one, any definite answer closes the breaker, and only the
    probe's own failure opens it again.
    """
    if result.outcome is Outcome.SKIPPED or row.state == State.DISABLED:
        return row
    if result.error_class is ErrorClass.GONE:
        return _disabled(row, result.code)
    if result.error_class in _DOWN:
        return _failed(row, policy, now, chance, sender)
    row = _answered(row)
    if result.outcome is Outcome.SUCCESS:
        last = row.last_success_at
        is_noted = last is not None and now - last < policy.disable_after / NOTED_SHARE
        return replace(row, strikes=0, last_success_at=last if is_noted else now)
    if result.error_class is ErrorClass.CONFIGURATION:
        row = replace(row, strikes=row.strikes + 1)
        return _disabled(row, result.code) if row.strikes >= policy.strikes else row
    if result.error_class is ErrorClass.LIMITED:
        return _limited(row, rates, result, now, chance)
    return replace(row, strikes=0)


def resumed(row: DestinationRow, rates: tuple[Rate, ...], now: datetime) -> DestinationRow:
    """Open to sends again, by a person or by changed settings: a new episode, with an empty bucket."""
    fresh = replace(
        _answered(row), state=State.CLOSED, strikes=0, blocked_until=None, reason=None, version=row.version + 1
    )
    return _with_arrivals(fresh, [emptied(rate, now) for rate in rates])


def paused(row: DestinationRow, reason: str) -> DestinationRow:
    """Closed by a person: what is due waits, and nothing ends (NT-26)."""
    return replace(row, state=State.PAUSED, reason=reason, probe_owner=None, probe_until=None, version=row.version + 1)


def _answered(row: DestinationRow) -> DestinationRow:
    """The provider said something definite, so it is there: the breaker closes."""
    state = State.CLOSED if row.state in {State.OPEN, State.HALF_OPEN} else row.state
    blocked = row.blocked_until if row.state == State.CLOSED else None
    return replace(
        row, state=state, blocked_until=blocked, failures=0, opens=0, first_failure_at=None, probe_owner=None,
        probe_until=None,
    )  # fmt: skip


def _failed(row: DestinationRow, policy: BreakerPolicy, now: datetime, chance: float, sender: str) -> DestinationRow:
    probed = is_probe(row, sender)
    row = replace(row, failures=row.failures + 1, first_failure_at=row.first_failure_at or now)
    opens = probed or (row.state == State.CLOSED and row.failures >= policy.failures)
    if not opens:
        return row
    if row.opens and row.first_failure_at is not None and now - row.first_failure_at >= policy.disable_after:
        return _disabled(row, Code.UNREACHABLE)
    span = min(policy.first * (1 << min(row.opens, _DOUBLINGS_MAX)), policy.longest)
    spread = span * (1 - SPREAD + 2 * SPREAD * chance)
    return replace(
        row, state=State.OPEN, opens=row.opens + 1, blocked_until=now + spread, probe_owner=None, probe_until=None
    )


def _limited(
    row: DestinationRow, rates: tuple[Rate, ...], result: SendResult, now: datetime, chance: float
) -> DestinationRow:
    asked = min(max(result.retry_after or PAUSE_LEAST, PAUSE_LEAST), LIMIT_MAX)
    until = max(now + asked + PAUSE_LEAST * chance, row.blocked_until or EPOCH)
    row = replace(row, blocked_until=until, strikes=0)
    return _with_arrivals(row, [emptied(rate, until) for rate in rates])


def _disabled(row: DestinationRow, reason: str | None) -> DestinationRow:
    return replace(
        row, state=State.DISABLED, reason=reason, blocked_until=None, probe_owner=None, probe_until=None,
        version=row.version + 1,
    )  # fmt: skip


def _with_arrivals(row: DestinationRow, arrivals: list[int]) -> DestinationRow:
    short, minute = (*arrivals, *arrivals_of(row)[len(arrivals) :])
    return replace(row, tat_short=short, tat_minute=minute)
