"""What `doctor` looks at: the database first, the broker only where the tables are right."""

from outrider.admin.doctor import examine, preflight
from outrider.bootstrap.brokers import publisher_of, retention_of_topics, topics_of
from outrider.bootstrap.process import process_of
from outrider.bootstrap.pruning import retention
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.wiring import Site, known_catalog
from outrider.core.errors import AccessRefused
from outrider.core.health import ConnectionsNeeded, Finding, Verdict, judge_sources, judge_state_dir
from outrider.runtime.proof import obstacle

LANE_CONNECTIONS = 3
"""A lane reads, writes and listens."""
SPARE_CONNECTIONS = 4
"""A consumer's pool opens so many more for handlers that hang."""


async def examination(made: Site) -> list[Finding]:
    """Every check, in the order of what depends on what. Raises StorageUnavailable."""
    async with made.session(check=False) as session:
        found = await examine(session, retention(made), connections_needed(made.settings), made.names.prefix)
        if any(one.check == "schema" and one.verdict is Verdict.FAIL for one in found):
            return found
        try:
            topics = topics_of(made, (await known_catalog(made, session)).routes.values())
        except AccessRefused as error:
            topics = []
            found.append(
                Finding("routes", Verdict.WARN, error.reason, "no destination is asked for: set service.catalog")
            )
    folder = made.settings.runtime.state_dir
    found.append(judge_state_dir(str(folder), obstacle(folder, process_of(made, "doctor").owner)))
    publisher = publisher_of(made)
    if publisher is None:
        return [*found, Finding("broker", Verdict.OK, f"{made.settings.broker.kind}: nothing is published to a broker")]
    found += await preflight(publisher, topics)
    if found[-1].check != "broker":
        found += judge_sources(retention(made), await retention_of_topics(made, topics))
    return found


def connections_needed(settings: Settings) -> ConnectionsNeeded:
    """How many connections one relay that owns every lane, and one consumer, open at most."""
    relay = LANE_CONNECTIONS * settings.relay.lanes if settings.broker.kind not in {"log", "none"} else 0
    source = LANE_CONNECTIONS if settings.broker.kind == "log" else 1
    return ConnectionsNeeded(relay, settings.database.pool_size + SPARE_CONNECTIONS + source)
