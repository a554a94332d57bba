"""Requests and answers as values, and their bytes on the wire.

Invariant: a request is read whole or not at all, within limits.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

BODY_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are lower-case; `path` has no query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str

    def json(self) -> dict[str, Any] | None:
        """The body where it is a JSON object, else None."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    @property
    def bearer(self) -> str | None:
        """The bearer token."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token else None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `code` is the one in its body, where there is one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    code: int | None = None


def json_answer(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in JSON, as Feishu writes it."""
    code = value.get("code")
    said = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(status, body, said, code if isinstance(code, int) else None)


async def read_request(reader: asyncio.StreamReader, peer: str) -> Request:
    """Read one. Raises IncompleteReadError, LimitOverrunError or ValueError for what is no request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= BODY_MAX:
        raise ValueError("a body of that size is not read")
    body = await reader.readexactly(length)
    url = urlsplit(target)
    return Request(method, url.path, dict(parse_qsl(url.query)), headers, body, peer)


def written(answer: Answer, date: str) -> bytes:
    """The answer's bytes; the connection ends after it."""
    headers = {"Date": date, "Connection": "close", **answer.headers, "Content-Length": str(len(answer.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reason = HTTPStatus(answer.status).phrase
    return f"HTTP/1.1 {answer.status} {reason}\r\n{lines}\r\n".encode("latin-1") + answer.body
