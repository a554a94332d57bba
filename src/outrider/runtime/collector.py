"""Python's cycle collector in a process that does nothing but carry messages.

A batch is thousands of small tuples and lists that die by their reference counts. Looking through them for cycles every
seven hundred allocations costs a tenth of the relay's time and finds nothing.
"""

import gc
from typing import Final

ALLOCATIONS: Final = 50_000
"""Container objects more made than freed, after which the youngest are looked through: some ten batches."""


def relax_collector() -> None:
    """Look for cycles seldom, and never again among what was made until now. For a whole process, at its start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 20, 100)
