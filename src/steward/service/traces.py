"""Trace ids, by which the parts of one story are found (ST-66).

Invariant: a trace id is 32 hex digits, never all zero, and goes through the whole chain that it began.
"""

from typing import Final

from steward.ports.chance import Chance

_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8


def new_trace_id(chance: Chance) -> str:
    """An id for a chain that begins where no trace is active."""
    return chance.secret(_TRACE_BYTES).hex()


def traceparent(trace_id: str, chance: Chance) -> str:
    """The header under which a message of this trace goes: `00-{trace_id}-{8 random bytes}-01`."""
    return f"00-{trace_id}-{chance.secret(_SPAN_BYTES).hex()}-01"
