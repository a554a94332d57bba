"""From a name in a setting to the adapter behind it, loaded when it is asked for.

Invariant: a name that is not in a table here loads nothing; a library that is not installed is named with the command that
installs it.
"""

from importlib import import_module
from typing import Any, Final
from urllib.parse import unquote

from outrider.core.errors import ConfigurationError, MissingExtra

ADAPTERS: Final = {
    "storage.postgresql": ("outrider.storages.postgres.storage:PostgresStorage", "postgres"),
    "queries.postgresql": ("outrider.storages.postgres.queries:queries", "postgres"),
    "schema.postgresql": ("outrider.storages.postgres.schema:PostgresSchema", "postgres"),
    "log_reader.postgresql": ("outrider.storages.postgres.log_reader:PostgresLogReader", "postgres"),
    "storage.mysql": ("outrider.storages.mysql.storage:MysqlStorage", "mysql"),
    "queries.mysql": ("outrider.storages.mysql.queries:queries", "mysql"),
    "schema.mysql": ("outrider.storages.mysql.schema:MysqlSchema", "mysql"),
    "log_reader.mysql": ("outrider.storages.mysql.log_reader:MysqlLogReader", "mysql"),
    "storage.sqlite": ("outrider.storages.sqlite.storage:SqliteStorage", ""),
    "queries.sqlite": ("outrider.storages.sqlite.queries:queries", ""),
    "schema.sqlite": ("outrider.storages.sqlite.schema:SqliteSchema", ""),
    "log_reader.sqlite": ("outrider.storages.sqlite.log_reader:SqliteLogReader", ""),
    "publisher.kafka": ("outrider.brokers.kafka.publisher:KafkaPublisher", "kafka"),
    "transactional.kafka": ("outrider.brokers.kafka.transactional:KafkaTransactionalPublisher", "kafka"),
    "settings.kafka": ("outrider.brokers.kafka.config:KafkaSettings", "kafka"),
    "topics.kafka": ("outrider.brokers.kafka.topics:TopicAdmin", "kafka"),
    "metrics.prometheus": ("outrider.telemetry.metrics:MetricsSink", "prometheus"),
    "publisher.memory": ("outrider.brokers.memory.publisher:MemoryPublisher", ""),
    "channel.console": ("outrider.channels.console.channel:ConsoleChannel", ""),
    "channel.inbox": ("outrider.channels.inbox.channel:InboxChannel", ""),
    "client.http": ("outrider.channels.http.client:GuardedClient", "http"),
    "channel.feishu_bot": ("outrider.channels.feishu.bot:FeishuBotChannel", "http"),
    "channel.feishu_flow": ("outrider.channels.feishu.flow:FeishuFlowChannel", "http"),
    "channel.feishu_app": ("outrider.channels.feishu.app:FeishuAppChannel", "http"),
    "channel.webhook": ("outrider.channels.webhook.channel:WebhookChannel", "http"),
    "channel.email": ("outrider.channels.email.channel:EmailChannel", ""),
    "channel.apprise": ("outrider.channels.apprise.channel:AppriseChannel", "apprise"),
    "secrets.sealed": ("outrider.codecs.sealed:SealedSecrets", "sealed"),
    "secrets.plain": ("outrider.codecs.plain_secrets:PlainSecrets", ""),
}

DIALECTS: Final = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql", "sqlite": "sqlite"}


def adapter(kind: str, name: str) -> Any:  # noqa: ANN401  a class or function of an adapter
    """Load what `kind` names for `name`. Raises ConfigurationError where there is none, MissingExtra for its library."""
    try:
        place, extra = ADAPTERS[f"{kind}.{name}"]
    except KeyError:
        raise ConfigurationError(f"there is no {kind} for {name!r}") from None
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if extra and not (error.name or "").startswith("outrider"):
            raise MissingExtra(extra, f"the {kind} {name}") from error
        raise


def dialect_of(url: str) -> str:
    """`postgresql`, `mysql` (MariaDB too) or `sqlite`, by the URL's scheme. Raises ConfigurationError for another one."""
    scheme = url.partition(":")[0]
    if scheme not in DIALECTS:
        raise ConfigurationError(
            f"no storage speaks {scheme!r}: use postgresql://…, mysql://…, mariadb://… or sqlite:///FILE"
        )
    return DIALECTS[scheme]


def sqlite_path(url: str) -> str:
    """The file of `sqlite:///FILE` (relative) or `sqlite:////FILE` (absolute). Raises ConfigurationError without a file."""
    path = unquote(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or path in {"", ":memory:"}:
        raise ConfigurationError("a sqlite URL names a file that several connections share: sqlite:///shop.db")
    return path
