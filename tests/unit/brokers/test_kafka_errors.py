"""The table from Kafka's codes to outcomes, row by row, and what is not in it."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from outrider.brokers.kafka.errors import describe, error_of, outcome_of
from outrider.core.errors import ROW_CODES
from outrider.core.outcome import Refusal, Refused, Unknown

PERMANENT = {
    KafkaError.MSG_SIZE_TOO_LARGE: "publish.too_large",
    KafkaError.RECORD_LIST_TOO_LARGE: "publish.too_large",
    KafkaError.INVALID_RECORD: "publish.refused",
    KafkaError.INVALID_TIMESTAMP: "publish.refused",
}
CONFIGURATION = {
    KafkaError.UNKNOWN_TOPIC_OR_PART: "publish.refused",
    KafkaError._UNKNOWN_TOPIC: "publish.refused",
    KafkaError._UNKNOWN_PARTITION: "publish.refused",
    KafkaError.TOPIC_EXCEPTION: "publish.refused",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "publish.forbidden",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "publish.forbidden",
}
UNKNOWN = (
    KafkaError._MSG_TIMED_OUT,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._PURGE_QUEUE,
    KafkaError._PURGE_INFLIGHT,
    KafkaError._FATAL,
    KafkaError._FENCED,
    KafkaError._INVALID_DIFFERENT_RECORD,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.UNKNOWN,
)


@pytest.mark.parametrize(("code", "name"), PERMANENT.items())
def test_what_no_retry_helps_is_refused_for_good(code: int, name: str) -> None:
    """OB-39: too large, invalid record."""
    outcome = outcome_of(KafkaError(code))
    assert isinstance(outcome, Refused)
    assert (outcome.refusal, outcome.code) == (Refusal.PERMANENT, name)


@pytest.mark.parametrize(("code", "name"), CONFIGURATION.items())
def test_what_the_deployer_must_mend_is_a_refusal_of_the_configuration(code: int, name: str) -> None:
    """OB-39: unknown topic, not authorised."""
    outcome = outcome_of(KafkaError(code))
    assert isinstance(outcome, Refused)
    assert (outcome.refusal, outcome.code) == (Refusal.CONFIGURATION, name)


@pytest.mark.parametrize("code", UNKNOWN)
def test_everything_else_is_unknown(code: int) -> None:
    """OB-28, OB-40: transport, timeouts, replicas, purges, fatal errors, and another message's fault."""
    assert isinstance(outcome_of(KafkaError(code)), Unknown)


def test_fatal_error_is_unknown_whatever_its_code() -> None:
    """OB-40: it says that the client cannot go on, not that the message is wrong."""
    assert isinstance(outcome_of(KafkaError(KafkaError.INVALID_RECORD, fatal=True)), Unknown)


def test_codes_of_refusals_are_known_to_operators() -> None:
    """OB-39: each stands in the list of codes on rows."""
    assert {*PERMANENT.values(), *CONFIGURATION.values()} <= ROW_CODES


def test_error_text_is_redacted() -> None:
    """OB-29: a broker's text may name a secret."""
    assert "hunter2" not in describe(KafkaError(KafkaError._AUTHENTICATION, "password=hunter2"))


def test_exception_without_an_error_is_no_surprise() -> None:
    """OB-40: a driver's exception of any shape has an error."""
    assert error_of(KafkaException("what")).code() == KafkaError._FAIL
