"""Headers of a message that arrived. A consumer calls this for every message.

Invariant: size before parsing; whatever arrives gives an Envelope or an Undecodable, and never another error.
Source: spec/outbox.md OB-15, OB-46, OB-88.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from outrider.codecs.attributes import Identity, checked_key, invalid, to_envelope
from outrider.codecs.structured import STRUCTURED, read_structured
from outrider.core.envelope import Envelope
from outrider.core.limits import is_reserved

MAX_BYTES: Final = 16 * 1024 * 1024
_KNOWN: Final = (
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "sequence",
    "datacontenttype",
    "typeversion",
    "partitionkey",
    "subject",
    "generation",
    "deliverat",
    "correlationid",
    "causationid",
    "traceparent",
    "tracestate",
)
_PLAIN: Final = ("content-type", "datacontenttype")
_FALLBACK: Final = {"traceparent": "traceparent", "tracestate": "tracestate"}


def read_headers(
    headers: Iterable[tuple[str, bytes | str | None]] | None,
    body: bytes | None,
    *,
    key: bytes | None,
    prefix: str,
    identity: Identity = "envelope",
    coordinates: str = "",
    max_bytes: int = MAX_BYTES,
    percent: bool = False,
    time_default: datetime | None = None,
    type_default: str | None = None,
) -> Envelope:
    """The envelope of a message with these headers, body and broker's key; binary mode, or structured by content type.

    `coordinates` name its place in the source for ever. `time_default` is the broker's own time of the message, aware,
    for CloudEvents without one; `percent` says that attribute values are percent-encoded (NATS, HTTP). A body of None
    is empty. Header names are compared without case. Raises Undecodable with code `envelope.invalid`.
    """
    body = b"" if body is None else body
    if len(body) > max_bytes:
        raise invalid(f"{len(body)} bytes, more than {max_bytes}")
    found: dict[str, str] = {}
    others: list[tuple[str, str]] | None = None
    names = _names(prefix)
    try:
        for name, value in headers or ():
            text = value.decode() if type(value) is bytes else _text(value)
            attribute = names.get(name)
            if attribute is None:
                attribute = names.get(name.lower())
                if attribute is None:
                    if others is None:
                        others = []
                    others.append((name, text))
                    continue
            if attribute in found:
                raise invalid(f"{attribute} is there twice")
            found[attribute] = text
        own_key = checked_key(key.decode()) if key else None
        user = None if others is None else _user_headers(others, found, prefix, max_bytes)
        if percent:
            _decode_percent(found)
    except UnicodeDecodeError:
        raise invalid("the key or a header is not UTF-8") from None
    content_type = found.get("datacontenttype")
    if content_type is not None and content_type[:23].lower() == STRUCTURED and "specversion" not in found:
        found, body = read_structured(content_type, body, max_bytes)
    return to_envelope(
        found,
        user,
        body,
        key=own_key,
        identity=identity,
        coordinates=coordinates,
        time_default=time_default,
        type_default=type_default,
    )


@lru_cache(maxsize=16)
def _names(prefix: str) -> dict[str, str]:
    """Attribute by header name, as written and in lower case."""
    made = {prefix + name: name for name in _KNOWN}
    return {**made, **{name.lower(): attribute for name, attribute in made.items()}, _PLAIN[0]: _PLAIN[1]}


def _text(value: object) -> str:
    """A header's text where it is not bytes; UnicodeDecodeError as for bytes, Undecodable for other kinds."""
    if value is None:
        return ""
    if isinstance(value, str):
        value.encode("utf-8", "surrogatepass").decode()
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value).decode()
    raise invalid(f"a header holds {value.__class__.__name__}, not text")


def _user_headers(
    others: list[tuple[str, str]], found: dict[str, str], prefix: str, max_bytes: int
) -> dict[str, str] | None:
    """What travels beside the attributes: the user's headers and unknown extensions; the last of a name counts.

    The brokers' own headers are left out, and a plain trace context (as instrumentation sets it) stands in for ours.
    """
    if sum(len(name) + len(text) for name, text in others) > max_bytes:
        raise invalid(f"headers of more than {max_bytes} bytes")
    start = prefix.lower()
    made: dict[str, str] = {}
    for name, text in others:
        lower = name.lower()
        if lower in _FALLBACK:
            found.setdefault(lower, text)
        elif lower.startswith(start) or not is_reserved(lower):
            made[lower] = text
    return made or None


def _decode_percent(found: dict[str, str]) -> None:
    for attribute, text in found.items():
        if "%" in text and attribute != "datacontenttype":
            found[attribute] = unquote_to_bytes(text).decode()
