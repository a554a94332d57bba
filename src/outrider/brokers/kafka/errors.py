"""What Kafka's error codes mean for one message: a table, and everything that is not in it is unknown.

Source: spec/outbox.md OB-39 and the table after OB-45.
"""

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from outrider.core.outcome import PublishOutcome, Refusal, Refused, Unknown
from outrider.core.text import clean_text

TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
"""Said by the broker about a *batch* of records: it concerns one message only where that travelled alone."""

FENCED: Final = frozenset(
    {KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED}  # noqa: SLF001  librdkafka's own
)

MISSING: Final = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  librdkafka's own codes begin so
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  the same
    }
)

REFUSALS: Final[dict[int, tuple[Refusal, str]]] = {
    **dict.fromkeys(TOO_LARGE, (Refusal.PERMANENT, "publish.too_large")),
    KafkaError.INVALID_RECORD: (Refusal.PERMANENT, "publish.refused"),
    KafkaError.INVALID_TIMESTAMP: (Refusal.PERMANENT, "publish.refused"),
    KafkaError.INVALID_REQUIRED_ACKS: (Refusal.CONFIGURATION, "publish.refused"),
    KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT: (Refusal.CONFIGURATION, "publish.refused"),
    **dict.fromkeys(MISSING, (Refusal.CONFIGURATION, "publish.refused")),
    KafkaError.TOPIC_EXCEPTION: (Refusal.CONFIGURATION, "publish.refused"),
    KafkaError.TOPIC_AUTHORIZATION_FAILED: (Refusal.CONFIGURATION, "publish.forbidden"),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: (Refusal.CONFIGURATION, "publish.forbidden"),
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: (Refusal.CONFIGURATION, "publish.forbidden"),
}


def outcome_of(error: KafkaError) -> PublishOutcome:
    """What a delivery report's error says about its message. A fatal error concerns the client: unknown."""
    known = None if error.fatal() else REFUSALS.get(error.code())
    reason = describe(error)
    return Unknown("broker.unavailable", reason) if known is None else Refused(known[0], known[1], reason)


def error_of(exception: KafkaException) -> KafkaError:
    """The error that an exception of the driver carries."""
    error = exception.args[0] if exception.args else None
    return error if isinstance(error, KafkaError) else KafkaError(KafkaError._FAIL, str(exception))  # noqa: SLF001


def describe(error: KafkaError) -> str:
    """One redacted line: the broker's name of the code and its text."""
    return clean_text(f"{error.name()}: {error.str()}")
