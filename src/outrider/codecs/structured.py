"""CloudEvents in structured mode: one JSON object that holds attributes and data. Read only; we write binary mode.

Invariant: strict JSON and nothing else; the body is the data's own bytes. Source: CloudEvents JSON format 1.0, OB-15.
"""

from base64 import b64decode
from typing import Any, Final

from outrider.codecs.attributes import invalid
from outrider.core.canonical import canonical_json, parse_json
from outrider.core.errors import InvalidMessage, Undecodable

STRUCTURED: Final = "application/cloudevents"
_JSON: Final = "application/cloudevents+json"


def read_structured(content_type: str, body: bytes, max_bytes: int) -> tuple[dict[str, str], bytes]:
    """The attributes as texts, and the data as bytes: JSON data in canonical form, base64 decoded, other text as UTF-8.

    Raises Undecodable with code `envelope.invalid`; batches and formats other than JSON are refused.
    """
    if content_type.partition(";")[0].strip().lower() != _JSON:
        raise invalid("of the structured formats only application/cloudevents+json is read")
    try:
        value = parse_json(body, max_bytes)
    except Undecodable as error:
        raise invalid(error.reason) from None
    if not isinstance(value, dict):
        raise invalid("a structured CloudEvent is a JSON object")
    if "data" in value and "data_base64" in value:
        raise invalid("data and data_base64 together")
    has_data, data, encoded = "data" in value, value.pop("data", None), value.pop("data_base64", None)
    found = {name: _text(name, member) for name, member in value.items() if member is not None}
    found.setdefault("datacontenttype", "application/json")
    if encoded is not None:
        return found, _decoded(encoded)
    return found, _data(data, found["datacontenttype"]) if has_data else b""


def _text(name: str, member: object) -> str:
    if isinstance(member, str):
        return member
    if isinstance(member, bool):
        return "true" if member else "false"
    if isinstance(member, int):
        return str(member)
    raise invalid(f"attribute {name[:40]!a} is no string, number or boolean")


def _decoded(encoded: object) -> bytes:
    try:
        if isinstance(encoded, str):
            return b64decode(encoded, validate=True)
    except ValueError:
        pass
    raise invalid("data_base64 is no base64")


def _data(data: Any, content_type: str) -> bytes:  # noqa: ANN401  JSON is any value
    media_type = content_type.partition(";")[0].strip().lower()
    if isinstance(data, str) and not (media_type.endswith("+json") or media_type.rpartition("/")[2] == "json"):
        return data.encode()
    try:
        return canonical_json(data)
    except InvalidMessage as error:
        raise invalid(str(error)) from None
