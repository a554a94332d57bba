"""Headers of every answer, and the ones that a request may bring. Source: spec/scheduling.md ST-54, ST-63, ST-66."""

import re
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
NO_STORE: Final = "no-store"
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_NO_TRACE: Final = "0" * 32


class SecurityHeaders:
    """ASGI middleware: whatever answers, the headers of ST-63 are on it; only a static file may say how it is cached."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", NO_STORE)
            await send(message)

        await self._app(scope, receive, sent if scope["type"] == "http" else send)


def trace_of(headers: Mapping[str, str]) -> str | None:
    """The trace id of a request that is part of a trace already."""
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return found[1] if found and found[1] != _NO_TRACE else None


def quoted(etag: str) -> str:
    """An ETag as its header has it."""
    return f'"{etag}"'
