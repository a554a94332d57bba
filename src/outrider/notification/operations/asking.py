"""Calls from outside that have their effect once, however often they are repeated. Source: spec/notification.md NT-54."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outrider.core.audit import write
from outrider.core.errors import OperationRefused
from outrider.core.identity import message_id
from outrider.core.steps import Steps
from outrider.notification.operations.records import BATCH, place
from outrider.notification.record import Record
from outrider.notification.reopening import ReplayMode
from outrider.notification.request import read_request
from outrider.notification.sender import Desk
from outrider.notification.store.accepting import accept
from outrider.notification.store.answers import Answer, Mismatch, Once, answered
from outrider.notification.store.listing import RecordFilter
from outrider.notification.store.placing import Accepted
from outrider.notification.store.replaying import replay_matching
from outrider.runtime.sessions import SessionPool

ACCEPTED = 202
DONE = 200


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key, and the hash of route and body that it was given with."""

    text: str
    call_hash: bytes


class AskOperations:
    """What `actor`, a program, asks for by HTTP."""

    def __init__(self, desk: Desk, sessions: SessionPool, actor: str) -> None:
        self._desk, self._sessions, self._actor = desk, sessions, actor

    async def ask(self, said: Mapping[str, Any], key: Key) -> Answer | Mismatch:
        """Accept a request, whose id is made of caller and key: a repeat sends nothing, also after its dedupe window.

        Raises Undecodable, whose path names the field.
        """
        desk, once = self._desk, self._once(key)
        prepared = desk.composer.prepare(read_request(said, once.call_id, desk.clock.now()))
        found: list[Accepted] = []

        def accepting() -> Steps[Answer]:
            found[:] = yield from accept(desk.rules, prepared.request, fallback_used=prepared.fallback_used)
            made = [
                {
                    "id": str(one.record.id),
                    "channel": one.record.channel,
                    "status": one.record.status,
                    "reused": one.reused,
                }
                for one in found
            ]
            return Answer(ACCEPTED, {"request_id": str(once.call_id), "records": made})

        answer = await self._sessions.transact(answered(once, accepting))
        for one in found:
            desk.telling.accepted(one)
        return answer

    async def replay_matching(
        self, wanted: RecordFilter, mode: ReplayMode, key: Key, *, cursor: str | None = None
    ) -> Answer | Mismatch:
        """Replay at most 200 records that match, once. Raises OperationRefused without any filter."""
        if wanted.is_empty:
            raise OperationRefused("a replay of everything is never meant: give at least one filter")
        desk, behind = self._desk, place(cursor)
        done: list[Record] = []

        def replaying() -> Steps[Answer]:
            done[:], left, last = yield from replay_matching(desk.rules, wanted, mode, behind, BATCH)
            if done:
                yield from write(self._actor, f"notify replay {mode}", wanted.said(), len(done), "")
            return Answer(DONE, {"count": len(done), "left": left, "next_cursor": None if last is None else str(last)})

        answer = await self._sessions.transact(answered(self._once(key), replaying))
        for record in done:
            desk.telling.replayed(record, mode)
        return answer

    def _once(self, key: Key) -> Once:
        return Once(message_id(f"http\n{self._actor}", key.text), self._actor, key.call_hash)
