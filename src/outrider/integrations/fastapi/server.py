"""`outrider notify serve`: the router with its pages for probes, as a service. Source: spec/notification.md NT-53.

Invariant: it does not listen where anybody could call it, or where a token would cross a network in the clear.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from socket import socket
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from outrider.bootstrap.notifier import SiteNotifier
from outrider.bootstrap.settings_notification import Notification
from outrider.core.errors import ConfigurationError, OutriderError
from outrider.core.identity import uuid7
from outrider.integrations.fastapi.problems import Problem, answer_of
from outrider.integrations.fastapi.router import notification_router
from outrider.notification.tokens import TokenAuthenticator, read_tokens
from outrider.runtime.health import Page
from outrider.runtime.service import Service
from outrider.runtime.supervisor import Supervisor

RANDOM_BYTES: Final = 10
CODES: Final = {404: "not_found", 405: "method_not_allowed"}
METHODS: Final = ("GET", "PUT", "POST", "DELETE")
LONGEST_HEAD: Final = 16_384
CALLS_MAX: Final = 1_000
"""Connections and calls at a time; one more is 503."""


def check_serving(values: Notification) -> TokenAuthenticator:
    """Who may call, by the tokens of the settings. Raises ConfigurationError where this may not be served."""
    principals = read_tokens(values.http.tokens)
    if not principals:
        raise ConfigurationError(
            "notification.http.tokens names nobody who may call; make one with  outrider notify token"
        )
    if not _is_loopback(values.http.host) and not values.public_base_url.lower().startswith("https://"):
        raise ConfigurationError(
            f"notification.http.host: {values.http.host} is no loopback address, and public_base_url is not https: tokens "
            "would cross the network in the clear"
        )
    return TokenAuthenticator(principals)


class NotificationServer(Service):
    """Serves the routes, `/livez`, `/readyz` and, of `metrics`, `/metrics` until it is told to stop.

    `opened` is told the port; the notifier is closed at the end. Raises ConfigurationError where this may not be served.
    """

    role = "http"

    def __init__(
        self,
        notifier: SiteNotifier,
        metrics: Callable[[], Page] | None = None,
        opened: Callable[[int], None] = lambda _: None,
    ) -> None:
        super().__init__()
        self._authenticator = check_serving(notifier.values)
        self._notifier, self._metrics, self._opened = notifier, metrics, opened
        self._server: _Server | None = None

    def _drain(self, timeout_seconds: float) -> None:
        self._notifier.closed = True
        if self._server is not None:
            self._server.config.timeout_graceful_shutdown = max(1, int(timeout_seconds))
            self._server.should_exit = True

    def _hindrance(self) -> str | None:
        return None if self._server is not None and self._server.started else "starting"

    async def _serve(self) -> None:
        http = self._notifier.http
        config = uvicorn.Config(
            app_of(self._notifier, self._authenticator, self._metrics), host=http.host, port=http.port, log_config=None,
            access_log=False, lifespan="off", limit_concurrency=CALLS_MAX, server_header=False,
            h11_max_incomplete_event_size=LONGEST_HEAD,
        )  # fmt: skip
        self._server = server = _Server(config, self._opened)
        try:
            async with Supervisor() as group:
                group.start(server.serve(), "serve")
        except* SystemExit:
            raise ConfigurationError(f"notification.http.port: {http.host}:{http.port} cannot be opened") from None
        finally:
            await self._notifier.close()


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the service, and says when it listens."""

    def __init__(self, config: uvicorn.Config, opened: Callable[[int], None]) -> None:
        super().__init__(config)
        self._opened = opened

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._opened(int(self.servers[0].sockets[0].getsockname()[1]))


def app_of(notifier: SiteNotifier, authenticator: TokenAuthenticator, metrics: Callable[[], Page] | None) -> FastAPI:
    """The application: what is no route is a problem too."""
    app = FastAPI(title="Outrider notifications", docs_url=None, redoc_url=None)
    app.include_router(notification_router(notifier, authenticator))
    clock = notifier.clock

    async def refused(request: Request, error: Exception) -> Response:
        code = CODES.get(error.status_code, "invalid_request") if isinstance(error, HTTPException) else "internal_error"
        request_id = str(uuid7(clock.now_ms(), clock.random_bytes(RANDOM_BYTES)))
        problem = Problem(code, allow=_allowed(app, request) if code == "method_not_allowed" else ())
        answer = answer_of(problem, request_id, request.headers.get("accept-language", ""))
        answer.headers["X-Request-Id"] = request_id
        return answer

    async def livez() -> Response:
        return JSONResponse({"alive": True})

    async def readyz() -> Response:
        try:
            await notifier.look()
        except OutriderError as error:
            return JSONResponse({"ready": False, "reasons": {"database": error.code}}, 503)
        return JSONResponse({"ready": not notifier.closed, "reasons": {}}, 503 if notifier.closed else 200)

    async def exposition() -> Response:
        page = metrics() if metrics is not None else Page(404, b"")
        return Response(page.body, page.status, media_type=page.content_type)

    app.add_exception_handler(HTTPException, refused)
    for path, endpoint in (("/livez", livez), ("/readyz", readyz), ("/metrics", exposition)):
        app.add_api_route(path, endpoint, include_in_schema=False)
    _describe(app)
    return app


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods that this address takes, of whichever route."""
    if (own := app.openapi()["paths"].get(request.url.path)) is not None:
        return [method.upper() for method in own]
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    return [one for one, scope in scopes.items() if any(it.matches(scope)[0] is Match.FULL for it in app.routes)]


def _describe(app: FastAPI) -> None:
    """The document says how to sign in."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        document.setdefault("components", {})["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"bearer": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
