"""HEAD: what GET answers, without its body. Source: spec/scheduling.md ST-62; RFC 9110 §9.3.2.

Invariant: everything that answers GET answers HEAD, with the same status and headers, and changes nothing.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _Answered(Exception):
    """The head of an endless answer is sent; nobody reads on."""


class Heads:
    """ASGI middleware: a HEAD goes on as the GET that it asks about, and its answer loses its body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] != "http.response.body":
                await send(message)
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body"):
                raise _Answered

        try:
            await self._app({**scope, "method": "GET"}, receive, sent)
        except _Answered:
            return
