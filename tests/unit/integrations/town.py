"""A notifier behind its router, called without a socket: who calls is a header, `name:role+role`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from outrider import Notifier, notification_router
from outrider.channels.webhook.channel import WebhookChannel
from outrider.core.notification.traits import ChannelTraits
from outrider.ports.http import HttpAnswer, HttpFailure, HttpRequest, IncomingRequest, Principal
from outrider.testing.events import EventSink
from outrider.testing.mock_channel import TRAITS, MockChannel
from outrider.testing.schema import create_tables

PREFIX = "/api/v1/notification"
URL = "https://hook.example/services/T0123456789abcdef"
ASKED: dict[str, Any] = {
    "recipient_id": "anna", "kind": "important_urgent_task", "requested_at": "2026-11-20T08:07:00Z", "subject_type": "task",
    "subject_id": "1", "summary_text": "Buy milk", "title": "Milk title", "locale": "en",
    "route": {"always": ["inbox"], "first_of": ["mock"]},
}  # fmt: skip


class ByHeader:
    """`ports.http.Authenticator` that believes the header `x-who`."""

    async def authenticate(self, request: IncomingRequest) -> Principal | None:
        who, _, names = request.headers.get("x-who", "").partition(":")
        return Principal(who, frozenset(names.split("+"))) if who else None  # type: ignore[arg-type]


class Client:
    """A guarded client that calls nobody."""

    def problem(self, url: str) -> str | None:
        return None if url.startswith("https://hook.example/") else "must be https, to a public host"

    def is_exempt(self, url: str) -> bool:  # noqa: ARG002  none is
        return False

    async def check(self, url: str) -> str | None:  # noqa: ARG002  all are global
        return None

    async def exchange(self, request: HttpRequest, timeout_seconds: float) -> HttpAnswer | HttpFailure:  # noqa: ARG002
        return HttpFailure("connect", written=False)

    async def close(self) -> None:
        return None


class Town:
    """The notifier of a database, its channels `mock`, `webhook` and `email` (a mock too), and a client of its router."""

    def __init__(
        self, url: str, traits: ChannelTraits = TRAITS, *, make_tables: bool = True, **settings: object
    ) -> None:
        if make_tables:
            create_tables(url, "notification_")
        values = {"notification.http.burst": 1_000, **settings}
        self.sink = EventSink()
        inbox = Notifier(database=url)._parts.desk.channels["inbox"]
        clock = Notifier(database=url).clock
        self.mock = MockChannel(clock, "mock", traits)
        channels = {
            "inbox": inbox, "mock": self.mock, "webhook": WebhookChannel(Client(), clock),
            "email": MockChannel(clock, "email"), "apprise": MockChannel(clock, "apprise"),
        }  # fmt: skip
        self.notifier = Notifier(database=url, channels=channels, telemetry=self.sink, settings=values)
        self.app = FastAPI()
        self.router = notification_router(self.notifier, ByHeader())
        self.app.include_router(self.router)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="http://town")

    async def call(
        self,
        method: str,
        path: str,
        who: str | None,
        said: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """One call; `who` as `anna:recipient`."""
        sent = {**({} if who is None else {"x-who": who}), **(headers or {})}
        body = {} if said is None else {"json": said}
        return await self.client.request(method, PREFIX + path, headers=sent, **body)  # type: ignore[arg-type]

    async def ask(self, key: str, **changes: object) -> httpx2.Response:
        """A service asks."""
        return await self.call("POST", "/records", "shop:service", ASKED | changes, {"Idempotency-Key": key})

    async def close(self) -> None:
        await self.client.aclose()
        await self.notifier.close()


def sqlite_town(folder: Path, **settings: object) -> Town:
    """A town in a file."""
    return Town(f"sqlite:///{folder}/town.db", **settings)  # type: ignore[arg-type]
