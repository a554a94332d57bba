"""From an envelope to the event that a handler takes: JSON read strictly, lifted to the newest version, made an event.

Invariant: whatever a body holds gives an event or a CodecError whose code names its quarantine; the stored bytes never
change. Source: spec/outbox.md OB-52, OB-71, OB-73, OB-88.
"""

from collections.abc import Callable, Mapping

from outrider.codecs.events import decode
from outrider.core.canonical import parse_json
from outrider.core.envelope import Envelope
from outrider.core.errors import Undecodable, UnknownVersion
from outrider.core.routing import Route
from outrider.core.upcast import Upcaster, upcast


def event_reader(route: Route, upcasters: Mapping[int, Upcaster], max_bytes: int) -> Callable[[Envelope], object]:
    """A reader of the bodies of `route`: a typed event where the type has a class, else the JSON value, else the bytes."""
    newest, event_class, name = route.version, route.event_class, route.type
    steps = dict(upcasters)

    def read(envelope: Envelope) -> object:
        """Give the event. Raises UnknownVersion or Undecodable."""
        version = envelope.version
        if version > newest:
            raise UnknownVersion(name, version, newest)
        if not _is_json(envelope.content_type):
            if event_class is not None:
                raise Undecodable(f"content type {envelope.content_type!r} is no JSON")
            return envelope.body
        value = parse_json(envelope.body, max_bytes)
        if version != newest:
            if not isinstance(value, dict):
                raise Undecodable("an old version that is no JSON object cannot be lifted")
            value = upcast(name, value, version=version, newest=newest, upcasters=steps)
        return value if event_class is None else decode(event_class, value)

    return read


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.partition(";")[0].strip().endswith(("/json", "+json"))
