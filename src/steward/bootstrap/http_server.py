"""The HTTP process: an application served by uvicorn, as a service beside the roles.

Invariant: nothing listens where a token or a cookie would cross a network in the clear (X4). Source: ST-57.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from socket import socket
from typing import Final

import uvicorn

from outrider.bootstrap.running import Service
from steward.bootstrap.faults import StartRefused
from steward.bootstrap.settings_model import Settings
from steward.bootstrap.steward import Steward
from steward.http.app import create_app

LONGEST_HEAD: Final = 16_384
CALLS_MAX: Final = 1_000
"""Connections and calls at a time; one more is 503."""


def check_serving(settings: Settings) -> None:
    """Raise StartRefused where this may not be served."""
    host = settings.http.host
    if not _is_loopback(host) and not settings.public_url.lower().startswith("https://"):
        raise StartRefused(
            f"http.host: {host} is no loopback address, and http.public_url is not https: tokens and cookies would cross the"
            " network in the clear; set http.public_url to the https address that people open"
        )


class HttpServer(Service):
    """Serves API and pages on host and port of the settings until told to stop; `opened` is told the port."""

    role = "http"

    def __init__(self, steward: Steward, opened: Callable[[int], None]) -> None:
        super().__init__()
        check_serving(steward.values)
        self._app, self._http, self._opened = create_app(steward), steward.values.http, opened
        self._server: _Server | None = None

    def _forget_stop(self) -> None:
        config = uvicorn.Config(
            self._app, host=self._http.host, port=self._http.port, log_config=None, access_log=False, lifespan="off",
            limit_concurrency=CALLS_MAX, server_header=False, h11_max_incomplete_event_size=LONGEST_HEAD,
        )  # fmt: skip
        self._server = _Server(config, self._opened)

    def _drain(self, timeout_seconds: float) -> None:
        if self._server is not None:
            self._server.config.timeout_graceful_shutdown = max(1, int(timeout_seconds))
            self._server.should_exit = True

    def _hindrance(self) -> str | None:
        return None if self._server is not None and self._server.started else "starting"

    async def _serve(self) -> None:
        try:
            if self._server is not None:
                await self._server.serve()
        except SystemExit:
            raise StartRefused(f"http.port: {self._http.host}:{self._http.port} cannot be opened") from None


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


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
