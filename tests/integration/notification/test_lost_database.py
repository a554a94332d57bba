"""A database that goes away between a provider's answer and its being written."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from outrider.core.events import ServiceFailed
from outrider.core.events.notifying import NotificationAttemptFinished, NotificationSent
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.notification.store.attempts import read_attempts
from outrider.notification.store.rows import find
from tests.integration.notification.test_notifying import Town


class Switch:
    """Switches a database of the server off, with whoever is connected, and on again."""

    def __init__(self, url: str) -> None:
        self._server, _, self._name = url.rpartition("/")

    def off(self) -> None:
        with self._connection() as connection:
            connection.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false'.encode())
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self._name,)
            )

    def on(self) -> None:
        with self._connection() as connection:
            connection.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true'.encode())

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as connection:
            yield connection


async def test_database_lost_at_finish(postgres_url: str) -> None:
    """NT-12: the answer is kept until it can be written; nobody is asked a second time, whatever else fails meanwhile."""
    town, switch = Town(postgres_url), Switch(postgres_url)
    await town.give_address()
    answers = town.mock.send

    async def send(request: SendRequest, deadline: float) -> SendResult:
        found = await answers(request, deadline)
        await asyncio.to_thread(switch.off)
        return found

    town.mock.send = send  # type: ignore[method-assign]  # the database goes while the provider answers
    async with town.working():
        await town.ask(dedupe_key="lost", route={"first_of": ["mock"]})
        answered = await town.sink.wait_for(NotificationAttemptFinished)
        await town.sink.wait_for(ServiceFailed, lambda event: event.role == "notifier")
        assert answered.outcome == "success"
        await asyncio.to_thread(switch.on)
        await town.sink.wait_for(NotificationSent, timeout_seconds=30)
    assert len(town.mock.calls) == 1
    (record,) = await town.run(find("mock", "lost"))
    attempts: list[Any] = await town.run(read_attempts(record.id))
    assert [(one.outcome, one.late) for one in attempts] == [("success", False)]
    assert (record.status, record.ambiguous_since) == ("sent", None)
