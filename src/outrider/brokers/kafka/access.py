"""Whether a cluster lets us in: what librdkafka's error callback says while a client connects for the first time.

librdkafka tries again for ever, whatever the reason, and a question to the cluster only ends in its own timeout; so the
reason is noted here, and believed once no broker is left that might answer. Tried on Kafka 4.1.1 and librdkafka 2.16.
"""

import re
from typing import Final

from confluent_kafka import KafkaError

from outrider.brokers.kafka.errors import describe
from outrider.core.errors import AccessRefused

_CA: Final = (
    "broker.tls.ca must hold the authority that signed the brokers' certificates, and these the names in broker.url"
)
REMEDIES: Final = (
    (r"certificate verify failed", _CA),
    (r"SSL alert|SSL routines::.*alert", "broker.tls.cert and .key must be a certificate that the brokers trust"),
    (r"PLAINTEXT broker listener|wrong version number", "the port in broker.url has no TLS, and broker.tls wants it"),
)  # fmt: skip
CODES: Final = {
    KafkaError._AUTHENTICATION: "look at broker.sasl",  # noqa: SLF001  librdkafka's own codes begin so
    KafkaError._SSL: "look at broker.tls",  # noqa: SLF001  the same
}


class Entry:
    """What was heard while connecting. `note` is librdkafka's `error_cb`."""

    def __init__(self) -> None:
        self._heard: AccessRefused | None = None
        self._all_down = False

    def note(self, error: KafkaError) -> None:
        """Take an error of the client as a whole."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  as above
            self._all_down = True
        else:
            self._heard = refusal_of(error) or self._heard

    @property
    def refused(self) -> AccessRefused | None:
        """Why we are not let in; None while another broker may still let us."""
        return self._heard if self._all_down else None


def refusal_of(error: KafkaError) -> AccessRefused | None:
    """The refusal that an error is; None for what may pass by itself."""
    said = describe(error)
    for pattern, remedy in REMEDIES:
        if re.search(pattern, said):
            return AccessRefused("broker", said, remedy)
    remedy = CODES.get(error.code(), "")
    return AccessRefused("broker", said, remedy) if remedy else None
