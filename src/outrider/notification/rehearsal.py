"""What a sweep would do: it is done in a transaction, counted, and taken back.

Invariant: nothing of it is committed or told, and no provider is asked. Source: spec/notification.md §13.
"""

from typing import Never

from outrider.core.steps import Steps
from outrider.notification.store import acting, claiming, finishing
from outrider.notification.store.rules import Rules
from outrider.runtime.sessions import Sessions

Counted = tuple[int, int, int]


class _TakenBack(Exception):
    """Ends the transaction; carries what was counted."""

    def __init__(self, counted: Counted) -> None:
        super().__init__(counted)
        self.counted = counted


async def rehearse(sessions: Sessions, owner: str, rules: Rules, limit: int) -> Counted:
    """How many records would be recovered and reopened, a batch at most, and tried, `limit` at most.

    Raises StorageUnavailable.
    """
    try:
        await sessions.transact(_steps(owner, rules, limit))
    except _TakenBack as done:
        return done.counted
    raise AssertionError("the steps end the transaction")


def _steps(owner: str, rules: Rules, limit: int) -> Steps[Never]:
    recovered = yield from finishing.recover(rules, rules.settings.batch)
    reopened, _ = yield from acting.reopen(rules, rules.settings.batch)
    tried = yield from claiming.claim(rules, owner, limit)
    raise _TakenBack((len(recovered), len(reopened), len(tried)))
