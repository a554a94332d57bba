"""How long a record waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from outrider.core.errors import ConfigurationError
from outrider.core.notification.content import Priority
from outrider.core.notification.retry_after import retry_after
from outrider.notification.delay import delay, last_begin, last_byte, off_the_hour, within_window
from outrider.notification.policy import NotificationPolicy
from tests.unit.notification.builders import HOUR, KEYED, KEYLESS, MINUTE, NOW

POLICY = NotificationPolicy()


def test_delays_double_to_the_longest_and_are_shortened_by_up_to_a_fifth() -> None:
    """NT-18: 5, 10, 20, 30, 30 min times 0.8 to 1.0; an attempt below 1 counts as 1."""
    longest = [delay(POLICY, attempt, 1.0) for attempt in range(-1, 7)]
    assert longest == [minutes * MINUTE for minutes in (5, 5, 5, 10, 20, 30, 30, 30)]
    assert delay(POLICY, 2, 0.0) == 8 * MINUTE
    assert delay(POLICY, 10**9, 1.0) == 30 * MINUTE
    short = NotificationPolicy(retry_base=HOUR, retry_max=MINUTE)
    assert delay(short, 3, 1.0) == HOUR, "the longest is raised to the first"


def test_what_the_provider_asks_for_is_a_lower_bound() -> None:
    """NT-18: capped at 6 h; it shortens nothing."""
    assert delay(POLICY, 1, 1.0, HOUR) == HOUR
    assert delay(POLICY, 1, 1.0, 90 * HOUR) == 6 * HOUR
    assert delay(POLICY, 1, 1.0, timedelta(seconds=1)) == 5 * MINUTE


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "120"}, timedelta(seconds=120)),
        ({"retry-after": " 0 "}, timedelta(0)),
        ({"retry-after": "Fri, 20 Nov 2026 08:09:00 GMT"}, 2 * MINUTE),
        ({"retry-after": "Fri, 20 Nov 2026 08:12:00 GMT", "date": "Fri, 20 Nov 2026 08:11:30 GMT"}, MINUTE / 2),
        ({"retry-after": "Fri, 20 Nov 2026 08:00:00 GMT"}, timedelta(0)),
        ({"retry-after": "99", "x-reset": "7"}, timedelta(seconds=7)),
        ({"retry-after": "99", "x-reset": "soon"}, timedelta(seconds=99)),
        ({"retry-after": "9999999999"}, timedelta(days=366)),
        ({"retry-after": "99999999999999999999"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "Fri, 99 Foo"}, None),
        ({}, None),
    ],
)
def test_retry_after_seconds_date_and_reset(headers: dict[str, str], expected: timedelta | None) -> None:
    """NT-18: seconds, an HTTP date read against the answer's own Date, or the provider's own header first."""
    assert retry_after(headers, NOW, ["x-reset"]) == expected


@pytest.mark.parametrize(("minute", "moves"), [(0, True), (1, True), (2, False), (29, False), (30, True), (45, False)])
def test_due_times_keep_off_full_and_half_hours(minute: int, moves: bool) -> None:
    """NT-18: up to 60 s past :00 or :30 they move 1 to 3 min on, unless urgent."""
    due = datetime(2026, 11, 20, 9, minute, tzinfo=UTC)
    least, most = (MINUTE, 3 * MINUTE) if moves else (timedelta(0), timedelta(0))
    assert off_the_hour(due, Priority.NORMAL, 0.0) == due + least
    assert off_the_hour(due, Priority.LOW, 1.0) == due + most
    assert off_the_hour(due, Priority.URGENT, 0.5) == due


def test_a_try_begins_only_while_the_provider_knows_our_key() -> None:
    """NT-22: a twelfth of the window is margin; a later due time is shortened; with under a sixtieth left none follows."""
    assert last_begin(POLICY, KEYED, NOW) == NOW + 55 * MINUTE
    assert last_begin(POLICY, KEYED, None) is None
    assert last_begin(POLICY, KEYLESS, NOW) is None
    assert within_window(POLICY, KEYED, NOW, NOW + 30 * MINUTE, NOW) == NOW + 30 * MINUTE
    assert within_window(POLICY, KEYED, NOW, NOW + 65 * MINUTE, NOW + 35 * MINUTE) == NOW + 54 * MINUTE
    assert within_window(POLICY, KEYED, NOW, NOW + 80 * MINUTE, NOW + 54.5 * MINUTE) is None
    margin = NotificationPolicy(window_margin=10 * MINUTE)
    assert last_begin(margin, KEYED, NOW) == NOW + 50 * MINUTE


def test_a_call_ends_while_the_provider_knows_our_key() -> None:
    """NT-22: what begins in time is cut before the window ends, by half of the margin for its way; a long call begins
    sooner.
    """
    assert last_byte(POLICY, KEYED, NOW) == NOW + 57.5 * MINUTE
    assert last_byte(POLICY, KEYED, None) is None
    assert last_byte(POLICY, KEYLESS, NOW) is None
    short = replace(KEYED, dedupe_window=timedelta(seconds=24))
    assert last_begin(POLICY, short, NOW) == NOW + timedelta(seconds=18), "5 s of a call, 1 s of its way"
    assert last_byte(POLICY, short, NOW) == NOW + timedelta(seconds=23)
    for window in (12, 24, 60, 61, 3_600):
        traits = replace(KEYED, dedupe_window=timedelta(seconds=window))
        begins, ends = last_begin(POLICY, traits, NOW), last_byte(POLICY, traits, NOW)
        assert begins is not None
        assert ends is not None
        assert begins + traits.timeout <= ends < NOW + timedelta(seconds=window)


def test_a_window_too_short_for_a_call_is_refused_at_the_start() -> None:
    """NT-22: the margin alone would leave something, a call and its way do not."""
    inbox = replace(KEYED, dedupe_window=None)
    POLICY.check_channels({"inbox": inbox, "app": replace(KEYED, dedupe_window=timedelta(seconds=6))})
    with pytest.raises(ConfigurationError, match=r"window_margin and the timeout of app"):
        POLICY.check_channels({"app": replace(KEYED, dedupe_window=timedelta(seconds=5))})
