"""Every page and form passes here: who reads, what they may do, and that a form is one of ours. Source: ST-61, ST-62.

Invariant: a GET changes nothing; a form runs only with the strict cookie or an `act` link, its token, and from our own pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from steward.domain.profile import Locale
from steward.http.bodies import read_form
from steward.http.cookies import Cookies, csrf_token, is_csrf_token
from steward.http.edge import answer_at_edge
from steward.http.gate import caller_of, limited, locale_of, new_request_id, problem_at_edge
from steward.http.inbox import PersonInbox
from steward.http.limits import Limits
from steward.http.page_routes import PageRoute
from steward.http.routes import SAFE
from steward.http.services import Services
from steward.ports.storage import Reading
from steward.service.answer import Caller, Keyed, parse_key
from steward.service.links import Purpose
from steward.service.problems import Forbidden, Unauthenticated
from steward.service.tokens import Identity
from steward.service.traces import new_trace_id
from steward.web.notice import hints
from steward.web.pages import render
from steward.web.reader import Reader

SEE_OTHER: Final = 303
KEY_BYTES: Final = 16
LOOKING: Final[tuple[Purpose, ...]] = ("view", "act")
ACTING: Final[tuple[Purpose, ...]] = ("act",)
OWN_FIELDS: Final = frozenset({"csrf", "key", "if_match"})


@dataclass(frozen=True)
class PageCall:
    """One page that is asked for. `secret` is the cookie or link that opened it; `form` is what was sent."""

    request: Request
    steward: Services
    reader: Reader
    caller: Caller
    cookies: Cookies
    secret: str = ""
    preview_id: str = ""
    """The one preview that a link is for."""
    form: Mapping[str, str] = field(default_factory=dict)

    def part(self, name: str = "id") -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        """A parameter of the query; empty is none."""
        return self.request.query_params.get(name) or None

    @property
    def keyed(self) -> Keyed:
        """The form's key with what the form says."""
        said = {name: value for name, value in sorted(self.form.items()) if name not in OWN_FIELDS}
        return Keyed(self.key, "POST", self.request.url.path, said, self.if_match)

    @property
    def key(self) -> str:
        """The form's key. Raises IdempotencyKeyRequired."""
        return parse_key(self.form.get("key"))

    @property
    def if_match(self) -> str | None:
        """The version that the form was made from, quoted as a header has it."""
        said = self.form.get("if_match")
        return None if said is None else f'"{said}"'

    def html(self, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401  a template's values
        """A page."""
        return HTMLResponse(render(template, self.reader, **values), status)

    @staticmethod
    def see(path: str) -> Response:
        """Go there, with a GET."""
        return RedirectResponse(path, SEE_OTHER)


class PageGate:
    """Lets readers in, and shows a page to those whom it does not."""

    def __init__(self, steward: Services, limits: Limits) -> None:
        self._steward, self._limits = steward, limits
        self.cookies = Cookies(steward.http.public_url, steward.http.sign_in_days)

    async def answer(self, request: Request, route: PageRoute) -> Response:
        """Run the page for who may see it. Never raises but for cancellation."""
        request_id = new_request_id(self._steward)
        reader = self._stranger(request)

        async def work() -> Response:
            nonlocal reader
            call = await self._admitted(request, route, reader, request_id)
            reader = call.reader
            return await route.endpoint(call)

        def refuse(error: Exception) -> Response:
            return self.refused(error, reader, request_id)

        response = await answer_at_edge(request, self._steward.storage, work, refuse)
        response.headers["X-Request-Id"] = request_id
        return response

    def refused(self, error: Exception, reader: Reader, request_id: str) -> Response:
        """The problem as a page; who is not signed in gets the sign-in page where they are."""
        problem = problem_at_edge(error)
        if problem.code == "internal_error":
            self._steward.report(error, request_id)
        if problem.code == "unauthenticated":
            values: dict[str, Any] = {"token": "", "notice": None, "days": self._steward.http.sign_in_days}
            return HTMLResponse(render("sign_in", replace(reader, signed_in=False), **values), problem.status)
        page = render(
            "problem", reader, title=reader.text(f"title.{problem.code}"), detail=" ".join(hints(problem.code, reader)),
            request_id=request_id, href="/", link=reader.text("problem.home"),
        )  # fmt: skip
        return HTMLResponse(page, problem.status)

    def _stranger(self, request: Request) -> Reader:
        locale: Locale = locale_of(request.headers)
        return Reader(locale=locale, signed_in=False, may_act=False, new_key=self._new_key)

    async def _admitted(self, request: Request, route: PageRoute, reader: Reader, request_id: str) -> PageCall:
        nobody = Caller("", new_trace_id(self._steward.chance), scopes=frozenset(), request_id=request_id)
        call = PageCall(request, self._steward, reader, nobody, self.cookies)
        if route.who == "signed_in":
            call = await self._signed_in(call)
        elif route.who == "link":
            call = await self._by_link(call)
        if request.method in SAFE:
            return call
        limited(self._limits, call.caller.user_id or f"peer:{request.client.host if request.client else ''}")
        form = await read_form(request, route.form_max or self._steward.http.body_max)
        secret = call.secret or call.request.path_params.get("token", "")
        if not self.cookies.is_ours(request.headers) or not is_csrf_token(form.get("csrf", ""), secret):
            raise Forbidden("this form is not one of this page")
        return replace(call, form=form)

    async def _signed_in(self, call: PageCall) -> PageCall:
        cookies = call.request.cookies
        secret = self.cookies.read(cookies, "view")
        identity = await self._steward.sign_ins.check(secret, "view")
        if call.request.method not in SAFE:
            acting = await self._steward.sign_ins.check(self.cookies.read(cookies, "act"), "act")
            if acting.user_id != identity.user_id:
                raise Unauthenticated
        caller = caller_of(identity, call.request, self._steward, call.caller.request_id)
        reader = await self._reader(identity, call.reader)
        unread = await PersonInbox(self._steward, caller.user_id).unread()
        reader = replace(reader, csrf=csrf_token(secret), unread=unread, signed_in=True, may_act=True)
        return replace(call, caller=caller, reader=reader, secret=secret)

    async def _by_link(self, call: PageCall) -> PageCall:
        token = call.part("token")
        purposes = LOOKING if call.request.method in SAFE else ACTING
        link = await self._steward.links.open(token, *purposes)
        caller = caller_of(link.identity, call.request, self._steward, call.caller.request_id)
        reader = await self._reader(link.identity, call.reader)
        reader = replace(reader, csrf=csrf_token(token), may_act=link.purpose == "act")
        return replace(call, caller=caller, reader=reader, secret=token, preview_id=link.preview_id or "")

    async def _reader(self, identity: Identity, stranger: Reader) -> Reader:
        now = await self._steward.storage.read(_now)
        return replace(stranger, locale=identity.locale, zone=identity.zone, now=now, name=identity.name)

    def _new_key(self) -> str:
        return self._steward.chance.secret(KEY_BYTES).hex()


async def _now(tx: Reading) -> datetime:
    return tx.now
