"""Steward's HTTP over a SQLite of its own, called without a socket: programs with tokens, people with cookies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx2
from fastapi import FastAPI

from steward.http.app import create_app
from steward.http.cookies import Cookies
from tests.integration.declared import assert_as_declared

ORIGIN = "http://127.0.0.1:8765"
API = "/api/v1"
PAGE_HEADERS = {"sec-fetch-site": "same-origin", "accept-language": "en"}


def cookie(values: Mapping[str, str]) -> dict[str, str]:
    """The header that a browser sends."""
    return {"cookie": "; ".join(f"{name}={value}" for name, value in values.items())} if values else {}


@dataclass
class Browser:
    """A person's browser: keeps the cookies that it is told, unlike a form that another site sends."""

    client: httpx2.AsyncClient
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        answer = await self.client.get(path, headers={"accept-language": "en", **headers, **cookie(self.cookies)})
        self.page = answer.text
        return answer

    async def post(
        self, path: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] = PAGE_HEADERS
    ) -> httpx2.Response:
        answer = await self.client.post(path, data=dict(form or {}), headers={**headers, **cookie(self.cookies)})
        self.page = answer.text
        return answer

    def form(self, action: str) -> dict[str, str]:
        """The hidden and chosen fields of the form with this action, as a browser would send them."""
        found = re.search(rf'<form [^>]*action="{re.escape(action)}".*?</form>', self.page, re.DOTALL)
        assert found is not None, f"no form {action} on the page"
        fields: dict[str, str] = {}
        for tag in re.findall(r"<input [^>]*>", found[0]):
            attributes = dict(re.findall(r'([a-z_-]+)="([^"]*)"', tag))
            if attributes.get("type") in {"radio", "checkbox"} and " checked" not in tag:
                continue
            if "name" in attributes and attributes.get("type") != "file":
                fields[attributes["name"]] = unescape(attributes.get("value", ""))
        for name, options in re.findall(r'<select [^>]*name="([^"]*)">(.*?)</select>', found[0], re.DOTALL):
            chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r"<option selected>([^<]*)", options)
            fields[name] = chosen[1] if chosen else ""
        for name, text in re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', found[0], re.DOTALL):
            fields[name] = unescape(text)
        return fields

    async def send(self, action: str, **fields: str) -> httpx2.Response:
        """Send the form with this action, some fields filled in."""
        return await self.post(action, self.form(action) | fields)


class Stage:
    """The application with its services, a person `usr_ada`, and others that a test makes."""

    def __init__(self, steward: Any) -> None:  # noqa: ANN401  wired services
        self.steward = steward
        self.app: FastAPI = create_app(steward)
        transport = httpx2.ASGITransport(app=self.app)
        self.client = httpx2.AsyncClient(transport=transport, base_url=ORIGIN)
        self._keys = 0
        self._tokens: dict[tuple[str, str], str] = {}

    def key(self) -> str:
        self._keys += 1
        return f"key-{self._keys}"

    async def person(self, user_id: str, role: str = "user") -> None:
        await self.steward.person.create(user_id, user_id=user_id, role=role, locale="en")

    async def token(self, user_id: str = "usr_ada", scopes: str = "tasks,calendar,previews") -> str:
        if (user_id, scopes) not in self._tokens:
            made = await self.steward.tokens.make(user_id, "test", scopes.split(","))
            self._tokens[user_id, scopes] = made["token"]
        return self._tokens[user_id, scopes]

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str = "usr_ada",
        scopes: str = "tasks,calendar,previews",
        key: str | None = "",
        content: bytes | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """Call the API with a token; a POST has a fresh key unless `key` says otherwise (None: none)."""
        sent = {"authorization": f"Bearer {await self.token(user, scopes)}"}
        if method == "POST" and key is not None:
            sent["idempotency-key"] = key or self.key()
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None:
            sent.setdefault("content-type", "application/json")
            answer = await self.client.request(method, API + path, content=content, headers=sent)
        else:
            answer = await self.client.request(method, API + path, json=body, headers=sent)
        assert_as_declared(self.app, answer)
        return answer

    async def browser(self, user_id: str = "usr_ada") -> Browser:
        """A browser that is signed in."""
        made = await self.steward.sign_ins.start(user_id)
        names = Cookies(ORIGIN, 90)
        return Browser(self.client, {names.name("view"): made.view, names.name("act"): made.act})
