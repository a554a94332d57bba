"""The row's cheap time, as it is sent."""

import pytest

from outrider.core.log_row import rfc3339


@pytest.mark.parametrize(
    ("printed", "sent"),
    [
        ("2026-11-21 16:24:10.123456+00", "2026-11-21T16:24:10.123456Z"),
        ("2026-11-21 16:24:10.12+00", "2026-11-21T16:24:10.120000Z"),
        ("2026-11-21 16:24:10+00", "2026-11-21T16:24:10.000000Z"),
        ("2026-11-21T16:24:10.000001Z", "2026-11-21T16:24:10.000001Z"),
    ],
)
def test_time_is_sent_with_six_digits_and_z(printed: str, sent: str) -> None:
    """OB-14: `time` is created_at, RFC 3339."""
    assert rfc3339(printed) == sent
