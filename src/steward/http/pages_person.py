"""Settings, and signing in and out. Source: spec/scheduling.md ST-58, ST-61, ST-62."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from starlette.responses import Response

from steward.domain.errors import NotFound, ValidationFailed
from steward.http.cookies import csrf_token
from steward.http.forms import field_errors, settings_values, windows_text
from steward.http.page_gate import PageCall
from steward.http.page_routes import PageRoute
from steward.service.problems import VersionMismatch
from steward.web.notice import Notice, done, refused


async def settings(call: PageCall) -> Response:
    """Zone, language, working hours, and what Steward may do."""
    found = await call.steward.settings.get(call.caller)
    return _page(call, found, done(call.query("done"), call.reader))


async def save_settings(call: PageCall) -> Response:
    """The form that changes them."""
    found = await call.steward.settings.get(call.caller)
    try:
        values = settings_values(call.form, found["grid"])
        await call.steward.settings.edit(call.caller, values, keyed=call.keyed, if_match=call.if_match)
    except ValidationFailed as error:
        return _page(call, found, refused("validation_failed", call.reader), error, 422)
    except VersionMismatch:
        notice = Notice("stale", call.reader.text("title.version_mismatch"), [call.reader.text("task.changed_since")])
        return _page(call, found, notice, status=412)
    return call.see("/settings?done=form.saved")


async def sign_in_page(call: PageCall) -> Response:
    """How to sign in; a link's page shows a button, so that looking at the link uses nothing up."""
    token = call.request.path_params.get("token", "")
    return _sign_in(call, token)


async def sign_in(call: PageCall) -> Response:
    """Use the link up, and remember this browser."""
    token = call.part("token")
    try:
        made = await call.steward.sign_ins.start_by_link(token)
    except NotFound:
        return _sign_in(call, "", refused("not_found", call.reader, [call.reader.text("sign_in.gone")]), 404)
    response = call.see("/")
    call.cookies.put(response, "view", made.view)
    call.cookies.put(response, "act", made.act)
    return response


async def sign_out(call: PageCall) -> Response:
    """Forget this browser."""
    cookies = call.request.cookies
    await call.steward.sign_ins.end(call.cookies.read(cookies, "view"), call.cookies.read(cookies, "act"))
    response = call.see("/sign-in")
    call.cookies.clear(response)
    return response


def _sign_in(call: PageCall, token: str, notice: Notice | None = None, status: int = 200) -> Response:
    reader = replace(call.reader, csrf=csrf_token(token) if token else "", signed_in=False)
    shown = replace(call, reader=reader)
    return shown.html("sign_in", status, token=token, notice=notice, days=call.steward.http.sign_in_days)


def _page(
    call: PageCall,
    found: Mapping[str, Any],
    notice: Notice | None,
    error: ValidationFailed | None = None,
    status: int = 200,
) -> Response:
    windows = found["grid"]["windows"]
    week = [
        (day, call.form.get(f"window-{day}", "") if error else windows_text(windows.get(str(day), [])))
        for day in range(1, 8)
    ]
    return call.html(
        "settings", status, settings=found, version=found["version"], week=week, zones=zones(), notice=notice,
        errors=[] if error is None else field_errors(error, call.reader),
    )  # fmt: skip


@cache
def zones() -> list[str]:
    """Zones as people choose them: places, and UTC."""
    places = (zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
    return [*sorted(places), "UTC"]


PERSON = (
    PageRoute("GET", "/settings", "signed_in", settings),
    PageRoute("POST", "/settings", "signed_in", save_settings),
    PageRoute("GET", "/sign-in", "anyone", sign_in_page),
    PageRoute("GET", "/sign-in/{token}", "anyone", sign_in_page),
    PageRoute("POST", "/sign-in/{token}", "anyone", sign_in),
    PageRoute("POST", "/sign-out", "signed_in", sign_out),
)
