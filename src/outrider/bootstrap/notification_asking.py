"""Asking for a notification by hand: a request accepted as the consumer would. Source: spec/notification.md NT-1, §13."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from outrider.bootstrap.notifying import notifier_parts
from outrider.bootstrap.wiring import Site
from outrider.core import audit
from outrider.core.identity import uuid7
from outrider.core.steps import Steps
from outrider.notification.answers import HandleResult, result_of
from outrider.notification.request import read_request
from outrider.notification.store.accepting import accept
from outrider.notification.store.placing import Accepted
from outrider.ports.telemetry import Telemetry

RANDOM_BYTES: Final = 10


class _NotKept(Exception):
    """Takes back what a dry run accepted."""

    def __init__(self, found: list[Accepted]) -> None:
        super().__init__()
        self.found = found


async def ask(
    made: Site, said: Mapping[str, Any], *, actor: str, telemetry: Telemetry, dry_run: bool = False
) -> tuple[UUID, list[HandleResult]]:
    """Make the records of a request, fields as of `notification.requested`, in one transaction with its audit row.

    A `dry_run` takes everything back. Raises Undecodable that names the field, StorageUnavailable, SchemaMismatch.
    """
    parts = notifier_parts(made, telemetry)
    clock, desk = made.clock, parts.desk
    request_id = uuid7(clock.now_ms(), clock.random_bytes(RANDOM_BYTES))
    prepared = desk.composer.prepare(read_request(said, request_id, clock.now()))

    def asking() -> Steps[list[Accepted]]:
        found = yield from accept(desk.rules, prepared.request, fallback_used=prepared.fallback_used)
        if dry_run:
            raise _NotKept(found)
        kept = {"recipient": prepared.request.recipient_id, "kind": prepared.request.kind, "id": str(request_id)}
        yield from audit.write(actor, "notify send", kept, len(found), "")
        return found

    async with made.session() as session:
        try:
            found = await session.transact(asking())
            for one in found:
                desk.telling.accepted(one)
        except _NotKept as taken_back:
            found = taken_back.found
    return request_id, [result_of(one.record, reused=one.reused) for one in found]
