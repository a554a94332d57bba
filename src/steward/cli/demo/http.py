"""A client of Steward's own HTTP interface, as any program would be one."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

API = "/api/v1"
TIMEOUT_SECONDS = 200.0
"""A little more than the reading of a calendar may take."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `body` is JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Api:
    """Calls with one person's token; each call has a connection of its own, and runs in a thread."""

    def __init__(self, url: str, token: str) -> None:
        self._host = urlsplit(url).netloc
        self._token = token

    async def get(self, path: str) -> Reply:
        """Read."""
        return await asyncio.to_thread(self._call, "GET", path, b"", {})

    async def post(
        self, path: str, body: object, *, key: str | None = None, if_match: str | None = None, kind: str = "json"
    ) -> Reply:
        """Change something, under this key."""
        headers = {"Content-Type": "text/calendar" if kind == "calendar" else "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"If-Match": f'"{if_match}"'} if if_match else {}
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await asyncio.to_thread(self._call, "POST", path, sent, headers)

    async def answers(self) -> bool | None:
        """True as soon as somebody listens there."""
        try:
            await self.get("/settings")
        except OSError:
            return None
        return True

    def _call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        connection = HTTPConnection(self._host, timeout=TIMEOUT_SECONDS)
        try:
            own = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
            connection.request(method, API + path, body or None, {**own, **headers})
            answer = connection.getresponse()
            text = answer.read()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, json.loads(text) if text else None)
        finally:
            connection.close()
