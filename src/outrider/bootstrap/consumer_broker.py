"""The subscriber of the broker that the settings name, loaded when it is asked for."""

from functools import partial
from importlib import import_module

from outrider.bootstrap.brokers import KAFKA_PREFIX, kafka_settings, memory_broker
from outrider.bootstrap.settings_model import Settings
from outrider.codecs.cloudevents import read_headers
from outrider.core.errors import ConfigurationError
from outrider.ports.broker import Subscriber


def subscriber_of(settings: Settings) -> Subscriber:
    """Make the subscriber. Raises ConfigurationError where there is nothing to consume from, MissingExtra."""
    decode = partial(read_headers, prefix=KAFKA_PREFIX, max_bytes=settings.consumer.max_bytes)
    made: Subscriber
    match settings.broker.kind:
        case "kafka":
            known = kafka_settings(settings.broker)  # says what to install where the library is missing
            module = import_module("outrider.brokers.kafka.subscriber")
            made = module.KafkaSubscriber(known, decode, settings.consumer.session_timeout)
        case "memory":
            module = import_module("outrider.brokers.memory.subscriber")
            made = module.MemorySubscriber(memory_broker(settings.broker.url), decode)
        case kind:
            raise ConfigurationError(f"broker.url {kind}: has nothing to consume from")
    return made
