"""Before the play: the demo's own tables, Outrider's, and the topic."""

import asyncio

from outrider.bootstrap.brokers import topics_of
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.wiring import make_subscription, site, update_routes
from outrider.cli.demo.shop import CONSUMERS, SERVICE, Plan, catalog, connect, create_tables
from outrider.core.errors import BrokerUnavailable

SPREAD = 4  # partitions of the topic
TOPIC_SECONDS = 15.0


def settings(plan: Plan, service: str) -> Settings:
    """The settings of every process of the demo; all else is as shipped."""
    return make(
        {
            "service.name": service,
            "database.url": plan.database,
            "broker.url": plan.broker,
            "relay.lease": plan.lease_seconds,
            "relay.publish_timeout": int(plan.lease_seconds * 1000 / 3) / 1000,
            "consumer.session_timeout": plan.session_seconds,
        }
    )


def prepare(plan: Plan) -> None:
    """Make everything anew. Raises BrokerUnavailable, StorageUnavailable."""
    _drop_services(plan)
    create_tables(plan)
    if plan.broker.startswith("kafka:"):
        _create_topic(plan)
    asyncio.run(_make_services(plan))


async def _make_services(plan: Plan) -> None:
    for service in (SERVICE, *CONSUMERS):
        made = site(settings(plan, service), catalog(plan.namespace))
        migrate(made.settings, made.names.prefix)
        async with made.session() as session:
            await update_routes(made, session)
            if service == SERVICE:
                await make_subscription(made, session)


def _drop_services(plan: Plan) -> None:
    """Drop what an earlier demo left in this database: tables and views whose names begin as the demo's services do."""
    prefixes = tuple(names.prefix for names in catalog(plan.namespace).services.values())
    catalog_query = {
        "sqlite": "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')",
        "postgresql": "SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END, relname FROM pg_class"
        " WHERE relkind IN ('r', 'v') AND pg_table_is_visible(oid)",
    }[plan.dialect]
    with connect(plan) as connection:
        found = connection.execute(catalog_query).fetchall()
        for kind in ("view", "table"):
            for name in (name for which, name in found if which == kind and name.startswith(prefixes)):
                cascade = " CASCADE" if plan.dialect == "postgresql" else ""
                connection.execute(f'DROP {kind} IF EXISTS "{name}"{cascade}')


def _create_topic(plan: Plan) -> None:
    from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra, only for Kafka
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415
    from confluent_kafka.cimpl import NewTopic  # noqa: PLC0415 - the name that typed readers see

    made = site(settings(plan, SERVICE), catalog(plan.namespace))
    admin = AdminClient({"bootstrap.servers": plan.broker.removeprefix("kafka://")})
    names = topics_of(made, catalog(plan.namespace).routes.values())
    try:
        for future in admin.create_topics([NewTopic(name, SPREAD, 1) for name in names]).values():
            future.result(TOPIC_SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise BrokerUnavailable(f"the demo's topic could not be made: {error}") from error
