"""Every setting with its type and default, as frozen values. Durations are timedeltas, sizes bytes.

Text forms: a duration is a number of seconds or a number with a unit (`15 s`, `100 ms`, `10 min`, `7 d`), a size a number of
bytes or one with `KiB`, `MiB`; `none` means no value where a key may lack one. Source: spec/outbox.md section 14.
"""

import re
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|sec|min|m|h|d)?")
_SIZE: Final = re.compile(r"(\d+)\s*(b|kb|kib|mb|mib)?", re.IGNORECASE)
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_BYTES: Final = {"b": 1, "kb": 1_000, "kib": 1_024, "mb": 1_000_000, "mib": 1_048_576}


def parse_duration(value: object) -> object:
    """Turn `15 s`, `100 ms` or a number of seconds into a timedelta. Raises ValueError, also for a negative one."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip().lower())):
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
    else:
        raise ValueError("must be a duration: a number of seconds, or one with ms, s, min, h or d")
    if not 0 <= seconds < timedelta.max.total_seconds():
        raise ValueError("must be a duration of 0 or more")
    return timedelta(seconds=seconds)


def parse_size(value: object) -> object:
    """Turn `16 MiB` or a number of bytes into an int. Raises ValueError."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        return int(match[1]) * _BYTES[(match[2] or "b").lower()]
    return value


def _none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() in {"", "none"} else value


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _names(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _durations(value: object) -> object:
    found = _names(value)
    return [parse_duration(item) for item in found] if isinstance(found, list | tuple) else found


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Span = Annotated[Duration, Field(gt=timedelta(0))]
Size = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Optional = BeforeValidator(_none)
Text = Annotated[str | None, Optional]


TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
Mechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)]


class Section(BaseModel):
    """A group of settings: frozen, nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Service(Section):
    """Who this process works for."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    catalog: Annotated[Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")] | None, Optional] = None
    profile: Literal["development", "production"] = "development"


class DatabaseTls(Section):
    """TLS to the database. `ca` is a file of certificates, or `system`; without a mode a certificate is checked in full."""

    mode: Annotated[TlsMode | None, Optional] = None
    ca: Text = None
    cert: Text = None
    key: Text = None


class Database(Section):
    """Where the service's tables are."""

    url: Annotated[str, Field(repr=False, pattern=r"^(postgresql|sqlite|mysql|mariadb)://")]
    db_schema: Annotated[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] | None, Optional] = None
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

    mechanism: Annotated[Mechanism | None, Optional] = None
    username: Annotated[SecretStr | None, Optional] = None
    password: Annotated[SecretStr | None, Optional] = None


Partitioner = Literal["crc32", "murmur2"]


class Destination(Section):
    """What differs for one topic; None means the broker's own value. `rate` is messages per second."""

    max_bytes: Annotated[Size | None, Optional] = None
    partitioner: Annotated[Partitioner | None, Optional] = None
    rate: Annotated[Annotated[float, Field(gt=0)] | None, Optional] = None


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
    health_port: Annotated[Annotated[int, Field(ge=0, le=65_535)] | None, Optional] = None
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
    consumers_here: Annotated[tuple[str, ...], BeforeValidator(_none), BeforeValidator(_names)] = ()


class Prune(Section):
    """What is deleted, and when. `every` 0 switches it off."""

    keep: Span = timedelta(days=7)
    every: Duration = timedelta(hours=24)
    batch: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    receipts_keep: Span = timedelta(days=14)
    dead_keep: Annotated[Span | None, Optional] = None
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


SECRETS: Final = frozenset({"database.url", "broker.url", "broker.sasl.username", "broker.sasl.password"})
"""Keys whose value is never shown, and that may be given as `…_FILE`."""


def known_keys(model: type[BaseModel] = Settings, prefix: str = "") -> dict[str, Any]:
    """Every dotted key with its default (None where it is required), in the order of the tables."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= known_keys(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = None if field.is_required() else field.get_default(call_default_factory=True)
    return found
