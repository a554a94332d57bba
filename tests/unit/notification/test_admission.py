"""Whether a due record goes now: quiet hours, ends without a call, limits."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from outrider.core.notification.address import Address, AddressState, Destination
from outrider.core.notification.codes import Code
from outrider.core.notification.content import Payload
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.notification.admission import Admitted, admission, lease_needs, refusal
from outrider.notification.attempt import Transition
from outrider.notification.content_key import KEY_LENGTH, freeze, provider_key, thaw
from outrider.notification.destination import DestinationRow, Held, Hold, State
from outrider.notification.quiet import QuietHours, QuietSpan, quiet_until, to_instant
from outrider.notification.record import Record
from outrider.notification.states import Status
from tests.unit.notification.builders import HOUR, KEYED, MINUTE, NOW, policy, record

NIGHTS = tuple(QuietSpan(day, time(22), time(7)) for day in range(7))
BERLIN = QuietHours("Europe/Berlin", NIGHTS)
QUIET_LOCAL = datetime(2026, 11, 20, 23, 30, tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)
ANNA = Address("anna", "bot")


def waiting(**changes: object) -> Record:
    return record(**{"status": "pending", "attempt_count": 0, "attempt_no": 0, **changes})


def test_quiet_hours_over_dst_gap_and_fold() -> None:
    """NT-31: a local time that was skipped means the first valid one after it, a repeated one its first pass."""
    zone = ZoneInfo("Europe/Berlin")
    assert to_instant(date(2026, 3, 29), time(2, 30), zone) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert to_instant(date(2026, 10, 25), time(2, 30), zone) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert to_instant(date(2026, 10, 25), time(3, 30), zone) == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
    gap = QuietHours("Europe/Berlin", (QuietSpan(6, time(1), time(2, 30)),))
    assert quiet_until(gap, datetime(2026, 3, 29, 0, 59, tzinfo=UTC)) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert quiet_until(gap, datetime(2026, 3, 29, 1, 0, tzinfo=UTC)) is None
    fold = QuietHours("Europe/Berlin", (QuietSpan(6, time(2, 30), time(2, 45)),))
    assert quiet_until(fold, datetime(2026, 10, 25, 0, 35, tzinfo=UTC)) == datetime(2026, 10, 25, 0, 45, tzinfo=UTC)
    assert quiet_until(fold, datetime(2026, 10, 25, 1, 35, tzinfo=UTC)) is None, "its second pass"


def test_quiet_hours_pass_midnight_and_chain() -> None:
    """NT-31: by weekday in the recipient's own zone; a span that begins where another ends goes on."""
    assert quiet_until(BERLIN, QUIET_LOCAL) == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    assert quiet_until(BERLIN, QUIET_LOCAL + 8 * HOUR) is None
    weekend = QuietHours("Asia/Shanghai", (QuietSpan(5, time(0), time(0)), QuietSpan(6, time(0), time(9))))
    assert quiet_until(weekend, datetime(2026, 11, 20, 17, 0, tzinfo=UTC)) == datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
    always = QuietHours("UTC", tuple(QuietSpan(day, time(0), time(0)) for day in range(7)))
    assert quiet_until(always, NOW) is not None, "an end in sight, however long the silence"
    assert quiet_until(None, NOW) is None


def test_urgent_bypasses() -> None:
    """NT-31: quiet hours hold what is normal; urgent goes, and so does what is not pushed."""
    held = admission(waiting(expires_at=NOW + 90 * HOUR), [], policy(), BERLIN, QUIET_LOCAL)
    assert held == Held(datetime(2026, 11, 21, 6, 0, tzinfo=UTC), Hold.QUIET)
    assert admission(waiting(priority=0), [], policy(), BERLIN, QUIET_LOCAL) == Admitted(())
    inbox = ChannelTraits(SendPolicy.EXACTLY_ONCE, MINUTE, local=True, pushes=False)
    assert admission(waiting(), [], policy(inbox, lease=HOUR), BERLIN, QUIET_LOCAL) == Admitted(())


def test_what_would_expire_in_quiet_hours_is_canceled() -> None:
    """NT-32, T11: nothing failed, so it is not dead; one that was tried already waits for its time."""
    made = admission(waiting(expires_at=QUIET_LOCAL + HOUR), [], policy(), BERLIN, QUIET_LOCAL)
    assert isinstance(made, Transition)
    assert (made.status, made.code) == (Status.CANCELED, Code.EXPIRED)
    tried = admission(record(status="failed", expires_at=QUIET_LOCAL + HOUR), [], policy(), BERLIN, QUIET_LOCAL)
    assert tried == Held(QUIET_LOCAL + HOUR, Hold.QUIET)


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (waiting(), Status.DEAD),
        (waiting(hold="rate"), Status.DEAD),
        (waiting(hold="digest"), Status.CANCELED),
        (record(status="failed", hold="quiet"), Status.DEAD),
        (record(status="failed", ambiguous_since=NOW), Status.UNKNOWN),
    ],
)
def test_what_is_too_late_ends(one: Record, status: Status) -> None:
    """NT-32, T11: canceled if only quiet hours or a digest held it, unknown if ambiguous, else dead."""
    made = refusal(one, ANNA, policy(), one.expires_at)
    assert made is not None
    assert (made.status, made.code) == (status, Code.EXPIRED)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (None, Code.RECIPIENT_MISSING),
        (Address("anna", "bot", state=AddressState.INVALID), Code.RECIPIENT_MISSING),
        (Address("anna", "bot", enabled=False), Code.CHANNEL_DISABLED),
        (Address("anna", "bot", state=AddressState.DISABLED), Code.DESTINATION_DISABLED),
    ],
)
def test_nobody_to_tell_is_skipped(address: Address | None, code: Code) -> None:
    """NT-10, NT-17, T10: without a call."""
    made = refusal(waiting(), address, policy(), NOW)
    assert made is not None
    assert (made.status, made.code, made.error_class) == (Status.SKIPPED, code, "none")


def test_switched_off_is_skipped() -> None:
    """NT-33: `notification.enabled = false`."""
    made = refusal(waiting(), ANNA, policy(enabled=False), NOW)
    assert made is not None
    assert (made.status, made.code) == (Status.SKIPPED, Code.NOTIFICATION_DISABLED)
    assert refusal(waiting(), ANNA, policy(), NOW) is None


def test_a_window_that_closed_while_waiting_ends_the_record_without_a_call() -> None:
    """NT-22, T18: code `window_closed`."""
    unclear = record(status="failed", ambiguous_since=NOW - 55 * MINUTE)
    made = refusal(unclear, ANNA, policy(KEYED), NOW)
    assert made is not None
    assert (made.status, made.code) == (Status.UNKNOWN, Code.WINDOW_CLOSED)
    assert refusal(unclear, ANNA, policy(KEYED), NOW - MINUTE) is None


def test_a_send_takes_a_token_of_every_destination_or_of_none() -> None:
    """NT-23, NT-25: the longest wait counts."""
    slow, fast = Rate(1, MINUTE), Rate(1, timedelta(seconds=1))
    app, person = Destination(b"a" * 32, "bot", "app", (slow,)), Destination(b"p" * 32, "bot", "person", (fast,))
    rows = [DestinationRow(b"a" * 32, "bot", "app"), DestinationRow(b"p" * 32, "bot", "person")]
    first = admission(waiting(), [(app, rows[0]), (person, rows[1])], policy(), None, NOW)
    assert isinstance(first, Admitted)
    again = admission(waiting(), list(zip((app, person), first.destinations, strict=True)), policy(), None, NOW)
    assert again == Held(NOW + MINUTE, Hold.RATE)


def test_a_disabled_destination_ends_the_record_and_a_paused_one_holds_it() -> None:
    """NT-26, NT-27, T10."""
    bot = Destination(b"a" * 32, "bot", "bot")
    off = admission(waiting(), [(bot, DestinationRow(bot.key, "bot", "", state=State.DISABLED))], policy(), None, NOW)
    assert isinstance(off, Transition)
    assert off.code == Code.DESTINATION_DISABLED
    held = admission(waiting(), [(bot, DestinationRow(bot.key, "bot", "", state=State.PAUSED))], policy(), None, NOW)
    assert isinstance(held, Held)
    assert held.reason is Hold.PAUSED


def test_a_lease_must_hold_the_whole_call() -> None:
    """NT-10: the channel's timeout and a twelfth of the lease."""
    assert lease_needs(policy()) == timedelta(seconds=10)


def test_key_stable_over_retries_new_for_new_content() -> None:
    """NT-8, NT-21: of record, generation and content alone; what is frozen reads back the same."""
    card = Payload(Form.CARD, {"b": 1, "a": ["ü"]}, "text")
    frozen, digest = freeze(card, "title")
    assert thaw(frozen) == (card, "title")
    assert freeze(Payload(Form.CARD, {"a": ["ü"], "b": 1}, "text"), "title") == (frozen, digest)
    one = record()
    key = provider_key(one.id, 1, digest)
    assert key == provider_key(one.id, 1, digest)
    assert key.startswith("nk1")
    assert len(key) == KEY_LENGTH
    others = {provider_key(one.id, 2, digest), provider_key(one.request_id, 1, digest)}
    others |= {provider_key(one.id, 1, freeze(Payload(Form.TEXT, card.body, "text"), "title")[1])}
    assert len(others | {key}) == 4
