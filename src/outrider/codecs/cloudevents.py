"""CloudEvents 1.0 in binary mode on any broker, and in structured mode when reading. Source: spec/outbox.md §4.

Invariant: `read_headers` of what a `HeaderWriter` wrote gives back the same message. What each broker differs in is the
`prefix` of attribute names (`ce_` Kafka; `ce-` NATS, Redis, HTTP; `cloudEvents_` RabbitMQ) and whether values are
percent-encoded (NATS, HTTP).
"""

from outrider.codecs.attributes import ENVELOPE_INVALID
from outrider.codecs.header_reader import MAX_BYTES, read_headers
from outrider.codecs.header_writer import HeaderWriter, percent_encode, write_headers
from outrider.codecs.structured import read_structured

__all__ = [
    "ENVELOPE_INVALID",
    "MAX_BYTES",
    "HeaderWriter",
    "percent_encode",
    "read_headers",
    "read_structured",
    "write_headers",
]
