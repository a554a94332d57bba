"""Ending what the owners of a transactional id left open, and fencing them: they commit nothing more.

Source: spec/outbox.md OB-101; hazard H58.
"""

import asyncio
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

from outrider.brokers.kafka.config import ClientConfig, QuietLog
from outrider.brokers.kafka.errors import FENCED, describe, error_of
from outrider.core.errors import BrokerUnavailable, LeaseLost

FENCE_SECONDS: Final = 10.0


async def end_owners(config: ClientConfig) -> None:
    """Initialise the transactional id of `config`. Raises BrokerUnavailable; LeaseLost when another does so at this time."""
    try:
        await asyncio.to_thread(_initialise, config)
    except KafkaException as exception:
        raise fencing_error(exception) from exception


def fencing_error(exception: KafkaException) -> BrokerUnavailable | LeaseLost:
    """What it means that a call about a transaction failed: LeaseLost where its id was taken over."""
    error = error_of(exception)
    return (LeaseLost if error.code() in FENCED else BrokerUnavailable)(describe(error))


def _initialise(config: ClientConfig) -> None:
    settings: dict[str, Any] = {**config, "logger": QuietLog()}
    client = Producer(settings)
    client.init_transactions(FENCE_SECONDS)
    client.close()
