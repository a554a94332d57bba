"""Every setting with its type and default, as frozen values. Durations are timedeltas, sizes bytes.

Those of notifications are in `settings_notification`, which only who uses them pays for. Source: spec/outbox.md section 14.
"""

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from outrider.bootstrap.settings_fields import (
    Count,
    Duration,
    Names,
    NotGiven,
    Section,
    Size,
    Span,
    Text,
    parse_duration,
    parse_items,
)


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _durations(value: object) -> object:
    found = parse_items(value)
    return [parse_duration(item) for item in found] if isinstance(found, list | tuple) else found


TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
Mechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)]


class Service(Section):
    """Who this process works for."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    catalog: Annotated[Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")] | None, NotGiven] = None
    profile: Literal["development", "production"] = "development"


class DatabaseTls(Section):
    """TLS to the database. `ca` is a file of certificates, or `system`; without a mode a certificate is checked in full."""

    mode: Annotated[TlsMode | None, NotGiven] = None
    ca: Text = None
    cert: Text = None
    key: Text = None


class Database(Section):
    """Where the service's tables are."""

    url: Annotated[str, Field(repr=False, pattern=r"^(postgresql|sqlite|mysql|mariadb)://")]
    db_schema: Annotated[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] | None, NotGiven] = None
    pool_size: Count = 5
    statement_timeout: Span = timedelta(seconds=10)
    prepared_statements: bool = True
    tls: DatabaseTls = DatabaseTls()


class BrokerTls(Section):
    """TLS to the broker, on where one of these is given. `ca` is a file of certificates, or `system`."""

    ca: Text = None
    cert: Text = None
    key: Text = None


class Sasl(Section):
    """Who we are at the broker."""

    mechanism: Annotated[Mechanism | None, NotGiven] = None
    username: Annotated[SecretStr | None, NotGiven] = None
    password: Annotated[SecretStr | None, NotGiven] = None


Partitioner = Literal["crc32", "murmur2"]


class Destination(Section):
    """What differs for one topic; None means the broker's own value. `rate` is messages per second."""

    max_bytes: Annotated[Size | None, NotGiven] = None
    partitioner: Annotated[Partitioner | None, NotGiven] = None
    rate: Annotated[Annotated[float, Field(gt=0)] | None, NotGiven] = None


class Broker(Section):
    """Where messages go. The scheme of `url` names the kind: `log:`, `kafka://host:port,…`, `memory:`, `none:`."""

    url: Annotated[str, Field(repr=False, pattern=r"^(log:|memory:|none:|kafka://.+)")] = "log:"
    tls: BrokerTls = BrokerTls()
    sasl: Sasl = Sasl()
    max_bytes: Size = 900_000
    transactional: bool = False
    partitioner: Partitioner = "crc32"
    destinations: Mapping[str, Destination] = Field(default_factory=dict)

    @property
    def kind(self) -> str:
        """`log`, `kafka`, `memory` or `none`."""
        return self.url.partition(":")[0]


class Relay(Section):
    """How the relay reads, sends and owns its lanes."""

    lanes: Annotated[int, Field(ge=1, le=1024)] = 1
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    lease: Span = timedelta(seconds=15)
    publish_timeout: Span = timedelta(seconds=5)
    poll_min: Span = timedelta(milliseconds=2)
    poll_max: Span = timedelta(milliseconds=100)
    advance_interval: Span = timedelta(milliseconds=20)
    preflight_interval: Span = timedelta(seconds=5)
    outage_backoff_max: Span = timedelta(seconds=5)
    park_alarm: Count = 100_000


class Retry(Section):
    """When a failed message is tried again."""

    delays: Annotated[tuple[Span, ...], BeforeValidator(_durations), Field(min_length=1)] = tuple(
        timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 16, 32)
    )
    jitter: Literal["full", "none"] = "full"
    max_retry: Annotated[int, Field(ge=0, le=1000)] = 20
    min_failing: Duration = timedelta(0)
    suspect_delays: Annotated[tuple[Span, Span], BeforeValidator(_durations)] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
    )


class Wakeup(Section):
    """Hints between processes."""

    notify: bool = False


class Runtime(Section):
    """The process."""

    drain_timeout: Span = timedelta(seconds=20)
    health_port: Annotated[Annotated[int, Field(ge=0, le=65_535)] | None, NotGiven] = None
    state_dir: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()))


class Log(Section):
    """Our log lines."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class Consumer(Section):
    """How handlers are run."""

    session_timeout: Span = timedelta(seconds=45)
    concurrency: Count = 8
    batch_size: Annotated[int, Field(ge=1, le=50)] = 50
    handler_timeout: Span = timedelta(seconds=30)
    in_place_retries: Annotated[int, Field(ge=0, le=10)] = 2
    key_policy: Literal["park_key", "pass"] = "park_key"
    breaker_failures: Count = 20
    breaker_keys: Count = 5
    park_limit: Count = 10_000
    max_bytes: Size = 16 * 1_048_576


class Sweep(Section):
    """What is looked for that was published and never consumed."""

    redeliver_after: Span = timedelta(minutes=10)
    action: Literal["resend", "alarm"] = "resend"
    max_resends: Annotated[int, Field(ge=0, le=100)] = 3
    rate: Count = 100
    consumers_here: Names = ()


class Prune(Section):
    """What is deleted, and when. `every` 0 switches it off."""

    keep: Span = timedelta(days=7)
    every: Duration = timedelta(hours=24)
    batch: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    receipts_keep: Span = timedelta(days=14)
    dead_keep: Annotated[Span | None, NotGiven] = None
    audit_keep: Span = timedelta(days=365)
    partition_rows: Annotated[int, Field(ge=0)] = 0


class Settings(Section):
    """All settings of one service."""

    service: Service
    database: Database
    broker: Broker = Broker()
    relay: Relay = Relay()
    retry: Retry = Retry()
    wakeup: Wakeup = Wakeup()
    runtime: Runtime = Field(default_factory=Runtime)
    log: Log = Log()
    consumer: Consumer = Consumer()
    sweep: Sweep = Sweep()
    prune: Prune = Prune()
    notification: Annotated[Mapping[str, Any], Field(repr=False, exclude=True)] = Field(default_factory=dict)
    """What was said of notifications, found sound: see `settings.notification_of`."""


SECRETS: Final = frozenset({
    "database.url", "broker.url", "broker.sasl.username", "broker.sasl.password",
    "notification.secret_keys", "notification.channels.feishu_app.app_secret", "notification.channels.email.password",
})  # fmt: skip
"""Keys whose value is never shown, and that may be given as `…_FILE`."""


def known_keys(model: type[BaseModel] = Settings, prefix: str = "") -> dict[str, Any]:
    """Every dotted key with its default (None where it is required), in the order of the tables."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= known_keys(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = None if field.is_required() else field.get_default(call_default_factory=True)
    return found
