"""The router. Source: spec/notification.md §12, NT-52.

Invariant: a route is there with its roles or not at all: one that names none is refused when the router is made (X4).
"""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from outrider.bootstrap.notifier import SiteNotifier
from outrider.integrations.fastapi.gate import Gate
from outrider.integrations.fastapi.openapi import described
from outrider.integrations.fastapi.people_routes import PEOPLE
from outrider.integrations.fastapi.record_routes import RECORDS
from outrider.integrations.fastapi.routes import Route
from outrider.ports.http import Authenticator

PREFIX: Final = "/api/v1/notification"
ROUTES: Final = (*PEOPLE, *RECORDS)
_PATHS: Final = {route.path for route in ROUTES if "{" not in route.path}
FIXED: Final = {path: [route.method for route in ROUTES if route.path == path] for path in _PATHS}
"""Addresses without a part that varies, with their methods: `/inbox/count` is no item, whatever DELETE `/inbox/{id}` says."""


def notification_router(notifier: SiteNotifier, authenticator: Authenticator, prefix: str = PREFIX) -> APIRouter:
    """Everything of notifications that is offered by HTTP, for an application to include.

    `authenticator` says who calls, once a call. Give it a `Notifier` with the database of the one that sends; it need not be
    started here, and where it is, what is accepted goes out at once.
    """
    router = APIRouter(prefix=prefix, tags=["notification"])
    gate = Gate(notifier, authenticator)
    for route in ROUTES:
        _add(router, gate, route)
    return router


def _add(router: APIRouter, gate: Gate, route: Route) -> None:
    async def endpoint(request: Request) -> Response:
        instead = [] if route.path in FIXED else FIXED.get(route.path.format(**request.path_params), [])
        return await gate.answer(request, route.roles, route.endpoint, is_test=route.is_test, instead=instead)

    router.add_api_route(
        route.path, endpoint, methods=[route.method], name=route.endpoint.__name__, summary=route.endpoint.__doc__,
        response_model=None, status_code=route.status, openapi_extra=described(route),
    )  # fmt: skip
