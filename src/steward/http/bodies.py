"""The bytes of a request's body, within their limits. Source: spec/scheduling.md §18, ST-55."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from steward.http.refusals import PayloadTooLarge, UnsupportedMediaType
from steward.service.problems import InvalidRequest

BODY_SECONDS: Final = 10.0
FIELDS_MAX: Final = 64
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


async def read_body(request: Request, size_max: int) -> bytes:
    """The whole body. Raises PayloadTooLarge, and InvalidRequest where it does not come."""
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                found += chunk
                if len(found) > size_max:
                    raise PayloadTooLarge(size_max)
    except (ClientDisconnect, TimeoutError):
        raise InvalidRequest("the body did not come whole") from None
    return bytes(found)


def media_type(request: Request) -> str:
    """What the body is said to be."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_form(request: Request, size_max: int) -> dict[str, str]:
    """A form's fields, the first of each name; a file's text stands under its field, its name under `{field}.filename`."""
    body, kind = await read_body(request, size_max), media_type(request)
    try:
        if kind == MULTIPART:
            return await _multipart(request, body, size_max)
        if body and kind != FORM:
            raise UnsupportedMediaType
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except (UnicodeDecodeError, ValueError, MultiPartException, KeyError):
        raise InvalidRequest("the form cannot be read") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    if any("\0" in value for value in found.values()):
        raise InvalidRequest("the form has NUL in it")
    return found


async def _multipart(request: Request, body: bytes, size_max: int) -> dict[str, str]:
    async def chunks() -> AsyncGenerator[bytes]:
        yield body

    parser = MultiPartParser(
        request.headers,
        chunks(),
        max_files=1,
        max_fields=FIELDS_MAX,
        max_part_size=size_max,
    )
    found: dict[str, str] = {}
    form = await parser.parse()
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                found[f"{name}.filename"] = value.filename or ""
                found[name] = (await value.read()).decode("utf-8", errors="replace")
            else:
                found.setdefault(name, value)
    finally:
        await form.close()
    return found
