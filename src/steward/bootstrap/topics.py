"""The topics that Steward's messages travel on: which of them the broker lacks, and the command that makes them.

Invariant: asking makes none, and a broker that does not answer stops nothing: messages wait in the log.
Source: spec/scheduling.md ST-64; spec/outbox.md OB-34.
"""

from typing import Final

from outrider.bootstrap.brokers import missing_topics, topics_of
from outrider.bootstrap.running import OutriderError
from steward.bootstrap.steward import Steward

SPREAD: Final = 4
"""What the command suggests: as many workers can share a topic."""
ASK_SECONDS: Final = 3.0


def topics_needed(steward: Steward) -> list[str]:
    """The topics of both services."""
    routes = steward.catalog.routes.values()
    return sorted({name for made in steward.sites.values() for name in topics_of(made, routes)})


async def topics_lacking(steward: Steward) -> list[str]:
    """Those of them that the broker lacks. Raises BrokerUnavailable, AccessRefused, MissingExtra."""
    if steward.values.broker.kind != "kafka":
        return []
    made = next(iter(steward.sites.values()))
    return await missing_topics(made, topics_needed(steward), ASK_SECONDS)


def command_for(steward: Steward, topics: list[str]) -> str:
    """What makes them, a line each."""
    servers = steward.values.broker.url.removeprefix("kafka://").rpartition("@")[2].rstrip("/")
    made = f"kafka-topics.sh --bootstrap-server {servers} --create --partitions {SPREAD} --topic"
    return "\n".join(f"{made} {topic}" for topic in topics)


async def advice(steward: Steward) -> str:
    """What is to be said of the broker's topics before anything needs them; nothing where all is well."""
    try:
        lacking = await topics_lacking(steward)
    except OutriderError as error:
        return f"the broker's topics cannot be looked at: {error}"
    if not lacking:
        return ""
    return f"the broker lacks {', '.join(lacking)}; messages wait until they are made:\n{command_for(steward, lacking)}"
