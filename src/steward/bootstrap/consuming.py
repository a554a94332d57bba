"""The consumer of service `steward`: each message handled under its person's lock, in the receipt's transaction.

Invariant: batch size 1, so that no transaction locks two persons. Source: spec/scheduling.md ST-21, ST-47, ST-64.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from outrider import Catalog, Consumer, Reject, Retry
from steward.bootstrap.catalog import STEWARD
from steward.bootstrap.messages import BODIES, HANDLED, Body
from steward.bootstrap.telling import HeldFacts
from steward.ports.storage import Busy, NoSuchPerson, Writing
from steward.storage.storage import AlchemyStorage

LATER: Final = timedelta(seconds=1)
"""After which a message is tried again whose person is being changed by another."""

Handle = Callable[[Writing, Mapping[str, Any]], Awaitable[None]]


def steward_consumer(
    catalog: Catalog, engine: AsyncEngine, storage: AlchemyStorage, handles: Mapping[str, Handle], held: HeldFacts
) -> Consumer:
    """The consumer, with what handles each type that it takes; what handlers tell is left with `held`."""
    ignored = sorted(BODIES.keys() - HANDLED)
    consumer = Consumer(
        STEWARD, catalog, transactions=engine, start="beginning", service=STEWARD, batch_size=1, ignore=ignored
    )
    for name in sorted(HANDLED):
        consumer.handler(name)(_handler(storage, handles[name], held))
    return consumer


def _handler(storage: AlchemyStorage, handle: Handle, held: HeldFacts) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def run(event: Body, tx: Any, context: Any) -> None:  # noqa: ANN401 - as Outrider's consumer calls it
        body = event.model_dump(mode="json")
        try:
            writing = await storage.joined(tx, body["user_id"])
        except NoSuchPerson as error:
            raise Reject(f"there is no person {error}") from error
        except Busy as error:
            raise Retry(LATER, counted=False) from error
        await handle(writing, body)
        writing.check()
        held.hold(str(context.message.message_id), writing.told)

    return run
