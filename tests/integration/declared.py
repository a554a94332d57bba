"""Answers held to the OpenAPI document of the application that gave them."""

import re
from functools import cache
from typing import Any

import httpx2
import jsonschema_rs
from fastapi import FastAPI

DOCUMENTS: dict[str, dict[str, Any]] = {}
"""By the application's title, each made once: applications of one title differ in what they stand on alone."""


def assert_as_declared(app: FastAPI, answer: httpx2.Response) -> None:
    """Assert that the document says this status, media type, headers and body of the operation, if it knows the operation."""
    if app.title not in DOCUMENTS:
        DOCUMENTS[app.title] = app.openapi()
    path = _template(app.title, answer.url.path)
    operation = DOCUMENTS[app.title]["paths"].get(path, {}).get(answer.request.method.lower())
    if operation is None:
        return
    said = operation["responses"].get(str(answer.status_code))
    assert said is not None, (path, answer.status_code, answer.text)
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind in said["content"], (path, answer.status_code, kind)
    missing = [name for name, one in said["headers"].items() if one["required"] and name not in answer.headers]
    assert not missing, (path, answer.status_code)
    if kind.endswith("json"):
        form = _form(app.title, path, answer.request.method.lower(), str(answer.status_code), kind)
        wrong = [f"{one.instance_path}: {one.message}" for one in form.iter_errors(answer.json())]
        assert not wrong, (path, answer.status_code, wrong)


@cache
def _form(title: str, path: str, method: str, status: str, kind: str) -> jsonschema_rs.Draft202012Validator:
    document = DOCUMENTS[title]
    schema = document["paths"][path][method]["responses"][status]["content"][kind]["schema"]
    return jsonschema_rs.Draft202012Validator({**schema, "components": document.get("components", {})})


@cache
def _template(title: str, path: str) -> str:
    """The address as the document has it: one without parts that vary before one with them."""
    templates = sorted(DOCUMENTS[title]["paths"], key=lambda one: "{" in one)
    patterns = {one: re.sub(r"\\{\w+\\}", "[^/]+", re.escape(one)) for one in templates}
    return next((one for one, pattern in patterns.items() if re.fullmatch(pattern, path)), "")
