"""Rates, breakers and strikes."""

from bisect import bisect_left
from dataclasses import replace
from datetime import timedelta

import pytest

from outrider.core.errors import ConfigurationError
from outrider.core.notification.codes import Code
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import Rate
from outrider.notification.destination import DestinationRow, Disabled, Held, Hold, State, admit, after, paused, resumed
from outrider.notification.policy import BreakerPolicy
from tests.unit.notification.builders import (
    DOWN,
    GONE,
    HOUR,
    KEYED,
    LIMITED,
    LOST,
    MINUTE,
    NOW,
    OK,
    REFUSED,
    SILENT,
    UNSIGNED,
    policy,
)  # fmt: skip

SECOND = timedelta(seconds=1)
BREAKER = BreakerPolicy()
FRESH = DestinationRow(b"d" * 32, "bot", "https://example.com/…/abcd...wxyz")


def then(row: DestinationRow, *results: SendResult, sender: str = "x", at: timedelta = 0 * SECOND) -> DestinationRow:
    for result in results:
        row = after(row, (), result, BREAKER, NOW + at, 0.5, sender=sender)
    return row


@pytest.mark.parametrize("late", [0, 0.01, 0.04])
@pytest.mark.parametrize(
    "rate", [Rate(4, SECOND), Rate(5, SECOND), Rate(90, MINUTE), Rate(900, MINUTE), Rate(1, 5 * SECOND)]
)
def test_no_span_ever_holds_more_sends_than_the_rate(rate: Rate, late: float) -> None:
    """NT-23: and nine tenths of it are used when much waits, also where each begins `late` of a span after its turn."""
    row, now, sent = FRESH, NOW, []
    while now < NOW + 20 * rate.per:
        found = admit(row, (rate,), now, sender="x", probe_until=now)
        if isinstance(found, Held):
            assert found.reason is Hold.RATE
            now = found.until + late * rate.per / rate.count
        else:
            assert isinstance(found, DestinationRow)
            row = found
            sent.append(now)
    most = max(bisect_left(sent, start + rate.per) - place for place, start in enumerate(sent))
    assert most <= rate.count
    assert len(sent) >= 0.9 * 20 * rate.count


def test_a_few_go_at_once_after_a_rest() -> None:
    """NT-23: a twentieth of the span's sends, and the rate holds all the same."""
    row, sent = FRESH, 0
    while isinstance(found := admit(row, (Rate(900, MINUTE),), NOW, sender="x", probe_until=NOW), DestinationRow):
        row, sent = found, sent + 1
    assert sent == 43


def test_both_rates_hold() -> None:
    """NT-23: a short and a minute rate."""
    rates = (Rate(4, SECOND), Rate(8, MINUTE))
    row = admit(FRESH, rates, NOW, sender="x", probe_until=NOW)
    assert isinstance(row, DestinationRow)
    assert admit(row, rates, NOW, sender="x", probe_until=NOW) == Held(NOW + 1.05 * MINUTE / 8 - MINUTE / 20, Hold.RATE)
    with pytest.raises(ConfigurationError):
        Rate(0, SECOND)


def test_after_a_pause_the_bucket_starts_empty() -> None:
    """NT-23, NT-17: limited pauses for what was asked, at least 1 s and jitter; then one at a time."""
    rate = Rate(100, MINUTE)
    row = after(FRESH, (rate,), LIMITED, BREAKER, NOW, 0.0, sender="x")
    assert row.blocked_until == NOW + SECOND
    assert admit(row, (rate,), NOW, sender="x", probe_until=NOW) == Held(NOW + SECOND, Hold.RATE)
    found = admit(row, (rate,), NOW + SECOND, sender="x", probe_until=NOW)
    assert isinstance(found, Held)
    assert found.until > NOW + SECOND
    asked = after(FRESH, (), replace(LIMITED, retry_after=HOUR), BREAKER, NOW, 0.0, sender="x")
    assert asked.blocked_until == NOW + HOUR


def test_five_failures_open_the_breaker_one_probe_closes_it() -> None:
    """NT-24: unavailable and ambiguous count; then nothing until the probe, one at a time."""
    row = then(FRESH, DOWN, LOST, DOWN, DOWN)
    assert row.state == State.CLOSED
    row = then(row, LOST)
    assert (row.state, row.blocked_until, row.opens) == (State.OPEN, NOW + 30 * SECOND, 1)
    assert admit(row, (), NOW + 29 * SECOND, sender="p", probe_until=NOW) == Held(NOW + 30 * SECOND, Hold.BREAKER)
    probing = admit(row, (), NOW + 30 * SECOND, sender="p", probe_until=NOW + MINUTE)
    assert isinstance(probing, DestinationRow)
    assert (probing.state, probing.probe_owner) == (State.HALF_OPEN, "p")
    assert admit(probing, (), NOW + 31 * SECOND, sender="q", probe_until=NOW) == Held(NOW + MINUTE, Hold.BREAKER)
    taken_over = admit(probing, (), NOW + MINUTE, sender="q", probe_until=NOW + 2 * MINUTE)
    assert isinstance(taken_over, DestinationRow)
    assert taken_over.probe_owner == "q", "a probe whose owner died is taken over"
    closed = then(probing, OK, sender="p")
    assert (closed.state, closed.failures, closed.opens, closed.last_success_at) == (State.CLOSED, 0, 0, NOW)


def test_a_failed_probe_opens_it_for_twice_as_long() -> None:
    """NT-24: 30 s times 2 to the k, at most 30 min, a fifth more or less; only the probe's own failure counts so."""
    row, spans = then(FRESH, *[SILENT] * 5), []
    for _ in range(8):
        probing = replace(row, state=State.HALF_OPEN, probe_owner="p")
        assert then(probing, SILENT, sender="straggler").state == State.HALF_OPEN
        row = then(probing, SILENT, sender="p")
        spans.append((row.blocked_until or NOW) - NOW)
    assert spans == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, *[30 * MINUTE] * 3]
    late = after(replace(row, state=State.HALF_OPEN, probe_owner="p"), (), SILENT, BREAKER, NOW, 1.0, sender="p")
    assert (late.blocked_until or NOW) - NOW == 36 * MINUTE


def test_any_definite_answer_shows_that_the_provider_is_there() -> None:
    """NT-24: a refused payload resets the row of failures."""
    row = then(FRESH, DOWN, DOWN, DOWN, DOWN, REFUSED, DOWN)
    assert (row.state, row.failures) == (State.CLOSED, 1)


def test_third_strike_in_a_row_disables() -> None:
    """NT-27: configuration; a success in between begins anew. `gone` disables at once."""
    assert then(FRESH, UNSIGNED, UNSIGNED, OK, UNSIGNED, UNSIGNED).state == State.CLOSED
    row = then(FRESH, UNSIGNED, UNSIGNED, UNSIGNED)
    assert (row.state, row.reason, row.version) == (State.DISABLED, Code.SIGN_MISMATCH, 2)
    assert admit(row, (), NOW, sender="x", probe_until=NOW) == Disabled(Code.SIGN_MISMATCH)
    assert then(FRESH, GONE).reason == Code.DESTINATION_GONE
    assert then(row, OK) == row, "only somebody who changes something switches it on"


def test_a_day_without_a_success_disables() -> None:
    """NT-27: measured from the first failure since the last success."""
    row = then(FRESH, *[SILENT] * 5)
    nearly = then(replace(row, state=State.HALF_OPEN, probe_owner="p"), SILENT, sender="p", at=23 * HOUR)
    assert nearly.state == State.OPEN
    late = then(replace(nearly, state=State.HALF_OPEN, probe_owner="p"), SILENT, sender="p", at=24 * HOUR)
    assert (late.state, late.reason) == (State.DISABLED, Code.UNREACHABLE)


def test_a_channel_may_give_its_destinations_longer() -> None:
    """NT-27: generic webhooks five days, all else as the settings say."""
    patient = replace(KEYED, disable_after=120 * HOUR)
    assert policy(patient).breaker.disable_after == 120 * HOUR
    assert policy(KEYED).breaker == BREAKER


def test_a_person_pauses_and_resumes() -> None:
    """NT-26: an answer that comes meanwhile does not resume it."""
    row = paused(FRESH, "maintenance")
    assert then(row, OK).state == State.PAUSED
    again = resumed(then(row, DOWN, DOWN), (), NOW)
    assert (again.state, again.failures, again.reason, again.version) == (State.CLOSED, 0, None, 3)


def test_success_after_success_leaves_the_row_as_it_is() -> None:
    """NT-23: a row that every sender locks is written for what counts; that all is well is noted once a minute or so."""
    noted = then(FRESH, OK)
    assert noted.last_success_at == NOW
    assert then(noted, OK, at=MINUTE / 2) == noted
    assert then(noted, OK, at=2 * MINUTE).last_success_at == NOW + 2 * MINUTE
    assert then(replace(noted, failures=2), OK, at=MINUTE / 2).failures == 0
