"""Times as text: §12, §18."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from steward.domain.errors import ValidationFailed
from steward.service.instants import instant_text, optional_text, parse_date, parse_instant
from steward.service.traces import traceparent

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23t12:00:00z",
        "2026-11-23 12:00:00+00:00",
        "2026-11-23T20:00:00+08:00",
        "2026-11-23T12:00:00.000000Z",
        "2026-11-23T12:00:00.0000001Z",
    ],
)
def test_a_time_is_taken_with_whatever_offset(text: str) -> None:
    assert parse_instant(text, "at") == NOON


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T12:00:00", "2026-11-23", "2026-11-23T12:00Z", "2026-W48-1T12:00:00Z", "20261123T120000Z", "", "noon",
        "2026-13-23T12:00:00Z", "2026-11-23T24:00:01Z", "2026-11-23T12:00:60Z", "1969-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", 1763899200, None, "2026-11-23T12:00:00Z ",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_its_field(value: object) -> None:
    """§18: naive datetimes, years outside 1970 to 2200."""
    with pytest.raises(ValidationFailed, match="deadline_at"):
        parse_instant(value, "deadline_at")


def test_a_time_is_written_in_utc_and_reads_back_equal() -> None:
    odd = NOON.astimezone(timezone(timedelta(hours=8))) + timedelta(microseconds=5)
    assert instant_text(NOON) == "2026-11-23T12:00:00Z"
    assert instant_text(odd) == "2026-11-23T12:00:00.000005Z"
    assert parse_instant(instant_text(odd), "at") == odd
    assert optional_text(None) is None


@pytest.mark.parametrize("value", ["2026-11-3", "20261123xx", "2026-02-30", "20261123", "2026-W48-1", 7, None])
def test_a_date_is_a_date(value: object) -> None:
    assert parse_date("2026-11-23", "start_date") == date(2026, 11, 23)
    with pytest.raises(ValidationFailed, match="start_date"):
        parse_date(value, "start_date")


class Sevens:
    """Chance that gives sevens alone."""

    def secret(self, count: int) -> bytes:
        return b"\7" * count


def test_a_traceparent_names_its_trace() -> None:
    """ST-66."""
    chance: object = Sevens()
    assert traceparent("ab" * 16, chance) == f"00-{'ab' * 16}-{'07' * 8}-01"  # type: ignore[arg-type]
