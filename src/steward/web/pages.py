"""Templates and what they stand on: every page is one template, escaped, with no value left undefined.

Invariant: what comes from a person is text in a page, never markup. Source: spec/scheduling.md ST-58, ST-63.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from steward.web.reader import Reader
from steward.web.timetable import positions

_MEDIA_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
VERSION_CHARACTERS: Final = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages ask for; `version` changes with its bytes."""

    body: bytes
    media_type: str
    version: str


@cache
def assets() -> Mapping[str, Asset]:
    """The stylesheets, scripts and the icon by name, the generated stylesheet among them."""
    folder = files("steward.web") / "static"
    found = {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
    found["positions.css"] = positions().encode()
    return {name: _asset(name, body) for name, body in found.items() if name.rpartition(".")[2] in _MEDIA_TYPES}


def render(template: str, reader: Reader, **values: Any) -> str:  # noqa: ANN401  a template's values are of any kind
    """A whole page. Raises KeyError for a message that no catalog has."""
    return _environment().get_template(f"{template}.html").render(reader=reader, t=reader.text, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("steward.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = lambda name: f"/static/{name}?v={assets()[name].version}"
    return environment


def _asset(name: str, body: bytes) -> Asset:
    return Asset(body, _MEDIA_TYPES[name.rpartition(".")[2]], sha256(body).hexdigest()[:VERSION_CHARACTERS])
