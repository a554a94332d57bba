"""The application: API, pages, Outrider's notification routes, probes. Source: spec/scheduling.md §12, §13.

Invariant: whatever is asked is answered by a route with a scope, or by a problem; every answer has the headers of ST-63.
"""

from typing import Any, Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from outrider import notification_router
from steward.domain.errors import StewardError
from steward.http.answers import COMPONENTS
from steward.http.authenticator import TokenAuthenticator
from steward.http.calendar_api import CALENDARS
from steward.http.gate import Gate, locale_of, new_request_id, refused
from steward.http.headers import SecurityHeaders
from steward.http.heads import Heads
from steward.http.limits import Limits
from steward.http.openapi import PROBLEM_SCHEMA, described
from steward.http.page_gate import PageGate
from steward.http.page_routes import PageRoute
from steward.http.pages_calendars import CALENDAR_PAGES
from steward.http.pages_inbox import INBOX
from steward.http.pages_person import PERSON
from steward.http.pages_plan import PLAN
from steward.http.pages_preview import PREVIEW_PAGES
from steward.http.pages_tasks import TASK_PAGES
from steward.http.previews_api import PREVIEWS
from steward.http.probes import add_probes
from steward.http.refusals import MethodNotAllowed, NoSuchPage
from steward.http.routes import Route
from steward.http.services import Services
from steward.http.tasks_api import TASKS
from steward.web.reader import Reader

API: Final = "/api/v1"
ROUTES: Final = (*TASKS, *CALENDARS, *PREVIEWS)
FIXED: Final = frozenset(route.path for route in ROUTES if "{" not in route.path)
"""Addresses without a part that varies: `/tasks/status` is no task, whatever DELETE `/tasks/{id}` says."""
PAGES: Final = (*PLAN, *TASK_PAGES, *PREVIEW_PAGES, *INBOX, *CALENDAR_PAGES, *PERSON)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
METHOD_NOT_ALLOWED: Final = 405


def create_app(steward: Services) -> FastAPI:
    """Everything that Steward offers by HTTP."""
    app = FastAPI(title="Steward", version="1", docs_url=None, redoc_url=None, openapi_url=f"{API}/openapi.json")
    limits = Limits(steward.http.rate, steward.http.burst)
    gate, page_gate = Gate(steward, limits), PageGate(steward, limits)
    for route in sorted(ROUTES, key=lambda one: "{id}" in one.path and not one.path.endswith(".ics")):
        _add(app, gate, route)
    for page in sorted(PAGES, key=lambda one: "{" in one.path):
        _add_page(app, page_gate, page)
    app.include_router(notification_router(steward.notifier, TokenAuthenticator(steward)))
    add_probes(app, steward)
    _add_refusals(app, steward, page_gate)
    app.add_middleware(Heads)
    app.add_middleware(SecurityHeaders)
    _describe(app)
    return app


def _add(app: FastAPI, gate: Gate, route: Route) -> None:
    async def endpoint(request: Request) -> Response:
        if route.path not in FIXED and request.url.path.removeprefix(API) in FIXED:
            raise MethodNotAllowed
        return await gate.answer(request, route)

    app.add_api_route(
        API + route.path, endpoint, methods=[route.method], name=route.endpoint.__name__, summary=route.endpoint.__doc__,
        response_model=None, status_code=route.status, openapi_extra=described(route),
    )  # fmt: skip


def _add_page(app: FastAPI, gate: PageGate, page: PageRoute) -> None:
    async def endpoint(request: Request) -> Response:
        return await gate.answer(request, page)

    app.add_api_route(page.path, endpoint, methods=[page.method], include_in_schema=False, response_model=None)


def _add_refusals(app: FastAPI, steward: Services, page_gate: PageGate) -> None:
    """What no route answers is a problem, too: to programs as JSON, to people as a page."""

    async def answer(request: Request, error: Exception) -> Response:
        said: Exception = error
        if isinstance(error, HTTPException):
            said = MethodNotAllowed() if error.status_code == METHOD_NOT_ALLOWED else NoSuchPage()
        request_id, locale = new_request_id(steward), locale_of(request.headers)
        if request.url.path.startswith("/api/"):
            response: Response = refused(steward, said, request_id, locale)
        else:
            response = page_gate.refused(said, Reader(locale=locale, signed_in=False), request_id)
        response.headers["X-Request-Id"] = request_id
        if isinstance(said, MethodNotAllowed):
            response.headers["Allow"] = ", ".join(_allowed(app, request))
        return response

    app.add_exception_handler(HTTPException, answer)
    app.add_exception_handler(StewardError, answer)


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods that this address takes, of whichever route; HEAD wherever there is a GET."""
    if (own := app.openapi()["paths"].get(request.url.path)) is not None:
        found = [method.upper() for method in own]
    else:
        scopes = {method: {**request.scope, "method": method} for method in METHODS}
        found = [one for one, scope in scopes.items() if any(it.matches(scope)[0] is Match.FULL for it in app.routes)]
    return ["HEAD", *found] if "GET" in found else found


def _describe(app: FastAPI) -> None:
    """The document with what routes refer to, and how to sign in."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update({"Problem": PROBLEM_SCHEMA, **COMPONENTS})
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"bearer": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
