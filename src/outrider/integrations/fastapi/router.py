"""The router. Source: spec/notification.md §12, NT-52.

Invariant: a route is there with its roles or not at all: one that names none is refused when the router is made (X4).
"""

import re
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from outrider.bootstrap.notifier import SiteNotifier
from outrider.integrations.fastapi.gate import Gate
from outrider.integrations.fastapi.people_routes import PEOPLE
from outrider.integrations.fastapi.record_routes import RECORDS
from outrider.integrations.fastapi.routes import Route
from outrider.ports.http import Authenticator

PREFIX: Final = "/api/v1/notification"
ROUTES: Final = (*PEOPLE, *RECORDS)
_PART: Final = re.compile(r"\{(\w+)\}")


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
        return await gate.answer(request, route.roles, route.endpoint, is_test=route.is_test)

    parameters = [_parameter("path", name, required=True) for name in _PART.findall(route.path)]
    parameters += [_parameter("query", name) for name in route.query]
    parameters += [_parameter("header", name, required=required) for name, required in route.headers.items()]
    router.add_api_route(
        route.path, endpoint, methods=[route.method], name=route.endpoint.__name__, summary=route.endpoint.__doc__,
        response_model=None, status_code=route.status,
        openapi_extra={"parameters": parameters, "x-roles": sorted(route.roles)},
    )  # fmt: skip


def _parameter(where: str, name: str, *, required: bool = False) -> dict[str, Any]:
    return {"in": where, "name": name, "required": required, "schema": {"type": "string"}}
