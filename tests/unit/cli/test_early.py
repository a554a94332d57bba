"""Which calls are ended cleanly by a SIGTERM that comes before they hear signals themselves."""

import signal

import pytest

from outrider.cli import SERVICES
from outrider.cli.program.early import hear_early


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("relay", True),
        ("notify serve --port 0", True),
        ("relay --once", False),
        ("notify list", False),
        ("dead replay --reason relay", False),
        ("", False),
    ],
)
def test_services_alone_end_cleanly_before_they_serve(words: str, heard: bool) -> None:
    """OB-44: what is done once and is cut short was not done, and must not end with 0."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        hear_early(words.split(), SERVICES)
        assert (signal.getsignal(signal.SIGTERM) is not before) is heard
    finally:
        signal.signal(signal.SIGTERM, before)
