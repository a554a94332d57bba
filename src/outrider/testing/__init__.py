"""What a test of Outrider, ours or another author's, is made of: servers, clocks, faults, conformance suites.

Nothing that runs in production imports this room.
"""

from outrider.testing.mock_channel import MockChannel

__all__ = ["MockChannel"]
