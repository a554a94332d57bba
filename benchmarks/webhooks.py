"""Webhooks to many destinations, each with more waiting than its rate lets through: how much of the rate is used."""

import asyncio
import time
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import psycopg

from benchmarks.notices import KIND, prepare
from benchmarks.rig import Rig
from benchmarks.webhooks_process import parts_of
from outrider.core.identity import uuid7
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.request import NotificationRequest, Route
from outrider.core.secret import Secret
from outrider.core.steps import Steps
from outrider.notification.opening import sealed
from outrider.notification.store.accepting import accept
from outrider.notification.store.people import save_address

DESTINATIONS: Final = 40
A_SECOND: Final = 5
WARM_SECONDS, SECONDS = 5.0, 20.0
SENDERS: Final = 2
BEGUN: Final = "SELECT destination_key, started_at FROM notification_attempt ORDER BY started_at"


class Webhooks:
    """A round has a database of its own, with more waiting than can be sent in its time."""

    def __init__(self, made: Rig, number: int) -> None:
        self._rig = made
        self._url = made.postgres.create_database(f"webhooks_{number}")

    def measure(self) -> dict[str, float]:
        """The share of the rate that was used, and how many sends began above it."""
        with self._rig.running_part("receivers_process") as receivers:
            given = {"database": self._url, "place": receivers.answer()["place"], "rate": f"{A_SECOND}/s"}
            prepare(self._url)
            asyncio.run(_ask(given))
            senders = [self._rig.part("webhooks_process", **given) for _ in range(SENDERS)]
            for sender in senders:
                sender.answer()
            time.sleep(WARM_SECONDS + SECONDS)
            for sender in senders:
                sender.end()
                self._rig.running.remove(sender)
        with psycopg.connect(self._url) as connection:
            return used(connection.execute(BEGUN).fetchall())


def used(begun: list[tuple[bytes, datetime]]) -> dict[str, float]:
    """Of the seconds behind the warm-up: sends over what the rate allows; and sends that began too soon, of all."""
    first = min(at for _, at in begun) + timedelta(seconds=WARM_SECONDS)
    last = first + timedelta(seconds=SECONDS - 1)
    counted = sum(first <= at < last for _, at in begun)
    places: dict[bytes, list[datetime]] = defaultdict(list)
    for key, at in begun:
        places[key].append(at)
    exceeded = sum(
        later - earlier < timedelta(seconds=1)
        for times in places.values()
        for earlier, later in zip(times, times[A_SECOND:], strict=False)
    )
    return {"rate_used": counted / (DESTINATIONS * A_SECOND * (SECONDS - 1)), "rate_exceeded": float(exceeded)}


async def _ask(given: dict[str, Any]) -> None:
    """Give every recipient a destination, and accept more than it takes in the time."""
    parts = parts_of(given)
    sessions = parts.sessions()
    channel = parts.desk.channels["webhook"]
    for number in range(DESTINATIONS):
        to, secrets = f"person-{number}", {"webhook_url": Secret(f"http://{given['place']}/hooks/{number}")}
        place = channel.destinations(Address(to, "webhook", AddressSettings({}, secrets)))[0]
        text = sealed(to, "webhook", secrets, parts.desk.codec)
        await sessions.transact(
            save_address(uuid4(), to, "webhook", enabled=True, settings={}, secrets=text, destination_key=place.key)
        )
        await sessions.transact(_accept(parts, to))
    await sessions.close()


def _accept(parts: Any, to: str) -> Steps[None]:  # noqa: ANN401 - NotifierParts
    clock = parts.made.clock
    for number in range(round(A_SECOND * (WARM_SECONDS + SECONDS) * 1.2)):
        request = NotificationRequest(
            uuid7(clock.now_ms(), clock.random_bytes(10)), to, KIND, clock.now(), subject_type="task",
            subject_id=str(number), summary_text=f"Task {number}", target_url="/tasks", route=Route((), ("webhook",)),
        )  # fmt: skip
        yield from accept(parts.desk.rules, request)
