"""Mending what others left behind: records whose sender did not come back, and those that can go on by now.

Invariant: a live lease ends early only where its owner is proved dead. Source: spec/notification.md NT-13, NT-30;
spec/outbox.md OB-100.
"""

from uuid import UUID

from outrider.notification.sender import Desk
from outrider.notification.store import acting, finishing, mending
from outrider.runtime.proof import ProofOfLife
from outrider.runtime.sessions import Sessions


class Mender:
    """Recovers and reopens. `proof` tells whose leases nobody needs to wait for."""

    def __init__(self, desk: Desk, proof: ProofOfLife) -> None:
        self._desk, self._proof = desk, proof

    async def mend(self, sessions: Sessions) -> tuple[int, int]:
        """Settle what lost its sender, until none is left, and take up what can go on; how many of each."""
        await self._bury(sessions)
        return await self._recover(sessions), await self._reopen(sessions)

    async def _bury(self, sessions: Sessions) -> None:
        """End the leases of processes of this host that are proved dead, so that nobody waits for them."""
        for owner in await sessions.run(mending.read_owners()):
            if self._proof.is_dead(owner):
                await sessions.transact(mending.end_leases(owner))

    async def _recover(self, sessions: Sessions) -> int:
        desk, recovered = self._desk, 0
        while True:
            settled = await sessions.transact(finishing.recover(desk.rules, desk.rules.settings.batch))
            for found in settled:
                desk.telling.recovered(found)
            recovered += len(settled)
            if not settled:
                return recovered

    async def _reopen(self, sessions: Sessions) -> int:
        desk, reopened = self._desk, 0
        behind: UUID | None = None
        while True:
            opened, behind = await sessions.transact(acting.reopen(desk.rules, desk.rules.settings.batch, behind))
            for record in opened:
                desk.telling.reopened(record)
            reopened += len(opened)
            if behind is None:
                return reopened
