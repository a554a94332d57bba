"""The log as an application writes it, in its own transaction."""

from collections.abc import Sequence
from typing import Protocol

from outrider.core.adding import Added
from outrider.core.record import OutboxRecord
from outrider.core.steps import Steps


class LogWriter(Protocol):
    """Adds records to one service's log. Without state; safe to share between threads."""

    def append(self, records: Sequence[OutboxRecord], *, fresh: bool = False) -> Steps[list[Added]]:
        """Add checked `records` and say what became of each, in the order given; log ids rise in that order.

        One round trip, whatever their number, as long as none is there already. The same id with the same content is
        left alone (`created=False`), with other content raises MessageIdConflict, and then nothing of this call stays;
        a twin of a transaction that is still open is waited for. The transaction stays usable. `fresh` says that all
        ids were made for this very call, so that none of that can happen. Source: OB-9, OB-11.
        """
        ...
