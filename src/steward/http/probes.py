"""Pages for probes, scrapers, browsers' assets, and the one that a problem's type leads to. Source: §12, ST-55, ST-63."""

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from steward.http.gate import locale_of, new_request_id, refused
from steward.http.refusals import NoSuchPage
from steward.http.services import Services
from steward.service.codes import CODES
from steward.web.pages import assets, render
from steward.web.reader import Reader

FOREVER: Final = "public, max-age=31536000, immutable"


def add_probes(app: FastAPI, steward: Services) -> None:
    """Add them; none is part of the API's document, none says anything of a person."""

    async def livez() -> Response:
        return JSONResponse({"alive": True})

    async def readyz() -> Response:
        reasons = await steward.hindrances()
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def metrics() -> Response:
        return Response(steward.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def problem(request: Request) -> Response:
        code, locale = request.path_params["code"], locale_of(request.headers)
        if code not in CODES:
            return refused(steward, NoSuchPage(), new_request_id(steward), locale)
        reader = Reader(locale=locale, signed_in=False)
        page = render(
            "problem",
            reader,
            title=CODES[code].title(locale),
            detail=f"{CODES[code].status} {code}",
            request_id="",
            href="/",
            link=reader.text("problem.home"),
        )
        return HTMLResponse(page)

    async def static(request: Request) -> Response:
        found = assets().get(request.path_params["name"])
        if found is None:
            return refused(steward, NoSuchPage(), new_request_id(steward), locale_of(request.headers))
        return Response(found.body, media_type=found.media_type, headers={"Cache-Control": FOREVER})

    for path, endpoint in (
        ("/livez", livez),
        ("/readyz", readyz),
        ("/metrics", metrics),
        ("/problems/{code}", problem),
        ("/static/{name}", static),
    ):
        app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False, response_model=None)
