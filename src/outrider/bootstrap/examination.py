"""What `doctor` looks at: the database first, the broker only where the tables are right."""

from outrider.admin.doctor import examine, preflight
from outrider.bootstrap.brokers import publisher_of, retention_of_topics, topics_of
from outrider.bootstrap.pruning import retention
from outrider.bootstrap.wiring import Site, known_catalog
from outrider.core.health import Finding, Verdict, judge_sources


async def examination(made: Site) -> list[Finding]:
    """Every check, in the order of what depends on what. Raises StorageUnavailable."""
    async with made.session(check=False) as session:
        found = await examine(session, retention(made))
        if any(one.check == "schema" and one.verdict is Verdict.FAIL for one in found):
            return found
        catalog = await known_catalog(made, session)
    publisher = publisher_of(made)
    if publisher is None:
        return [*found, Finding("broker", Verdict.OK, f"{made.settings.broker.kind}: nothing is published to a broker")]
    topics = topics_of(made, catalog.routes.values())
    found += await preflight(publisher, topics)
    if found[-1].check != "broker":
        found += judge_sources(retention(made), await retention_of_topics(made, topics))
    return found
