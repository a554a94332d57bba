"""Every setting of Steward with its type and default, as frozen values.

Source: spec/scheduling.md §16.
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr

from outrider.bootstrap.settings_fields import Count, Duration, NotGiven, Section, Size, Span, Text
from steward.domain.errors import ValidationFailed
from steward.domain.grid import Grid
from steward.domain.grid_json import grid_from_json

Secret = Annotated[SecretStr | None, NotGiven]
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MINUTES: Final = "minutes"
DATABASES: Final = re.compile(
    r"sqlite:///(?!:memory:)[^?]+|(postgresql(\+psycopg)?|(mysql|mariadb)(\+asyncmy)?)://.+|sqlite\+aiosqlite:///[^:?][^?]*"
)
BROKERS: Final = re.compile(r"(log|none|memory):|kafka://.+")
DATABASE_SCHEMES: Final = "sqlite:///FILE, postgresql://…, mysql://… or mariadb://…"
BROKER_SCHEMES: Final = "log:, kafka://host:port,… or none:"


def _matching(form: re.Pattern[str], schemes: str) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, str) and form.fullmatch(value):
            return value
        raise ValueError(f"must be {schemes}")

    return BeforeValidator(check)


def _each_second(value: object) -> object:
    """`1/s` as the number."""
    return value.strip().removesuffix("/s") if isinstance(value, str) else value


def _grid(value: object) -> object:
    """`minutes`, or a grid as JSON text."""
    if value == MINUTES:
        return value
    try:
        grid_from_json(json.loads(str(value)))
    except (ValueError, ValidationFailed) as error:
        raise ValueError(f"must be minutes, or a grid as JSON: {error}") from None
    return value


class Database(Section):
    """Where the tables are: Steward's, and those of both of its services."""

    url: Annotated[str, _matching(DATABASES, DATABASE_SCHEMES), Field(repr=False)] = "sqlite:///steward.db"


class Broker(Section):
    """What carries messages: the log itself, or a broker."""

    url: Annotated[str, _matching(BROKERS, BROKER_SCHEMES), Field(repr=False)] = "log:"

    @property
    def kind(self) -> str:
        """The scheme."""
        return self.url.partition(":")[0]


class Http(Section):
    """Where the HTTP interface and the pages are. `public_url` is what people open: by default host and port."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8765
    public_url: Text = None
    body_max: Size = 64 * 1_024
    rate: Annotated[float, BeforeValidator(_each_second), Field(gt=0)] = 1.0
    burst: Count = 20


class Web(Section):
    """The pages."""

    sign_in_days: Count = 90


class Defaults(Section):
    """What a person has who has not chosen otherwise; `grid` is `minutes`, or one as JSON (ST-14, ST-15)."""

    zone: str = "Asia/Shanghai"
    locale: Literal["zh-CN", "en"] = "zh-CN"
    grid: Annotated[str, BeforeValidator(_grid)] = MINUTES

    @property
    def usual_grid(self) -> Grid:
        """The grid itself."""
        return Grid() if self.grid == MINUTES else grid_from_json(json.loads(self.grid))


class Scan(Section):
    """How jobs are looked at (ST-8)."""

    interval: Span = timedelta(seconds=30)
    batch: Annotated[int, Field(ge=1, le=500)] = 50
    lease: Span = timedelta(seconds=30)
    tries_max: Count = 20


class Reconcile(Section):
    """How often what is out of order is looked for (ST-10)."""

    interval: Span = 10 * MINUTE
    batch: Annotated[int, Field(ge=1, le=5_000)] = 500


class Trigger(Section):
    """What a trigger may be (ST-18, ST-20)."""

    dedupe_window: Duration = 30 * MINUTE
    allow_mock_time: bool = False


class Prepare(Section):
    """How triggers are prepared (ST-21, ST-22)."""

    concurrency: Count = 4
    lease: Span = timedelta(seconds=60)
    tries_max: Count = 5
    window: Span = DAY
    horizon: Span = 14 * DAY
    events_max: Count = 2_000


class Search(Section):
    """How far the search goes."""

    moves_max: Annotated[int, Field(ge=0, le=3)] = 3
    candidates_max: Annotated[int, Field(ge=1, le=3)] = 3


class Solver(Section):
    """The solver for overfull weeks: none, or CP-SAT (extra `solver`, ST-34)."""

    kind: Literal["none", "cpsat"] = "none"
    wall_limit: Span = timedelta(seconds=5)
    moves_max: Count = 8


class Preview(Section):
    """How long a preview lives, and what follows it (ST-11, ST-49)."""

    ttl: Span = HOUR
    question_ttl: Span = DAY
    undo_window: Span = DAY
    resuggest_after: Span = 2 * HOUR
    resuggest_max: Annotated[int, Field(ge=0)] = 2


class Selector(Section):
    """Who chooses among candidates: a rule, or a language model."""

    kind: Literal["rule", "chat_completions", "pydantic_ai"] = "rule"
    base_url: Text = None
    model: Text = None
    api_key: Secret = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.1
    tokens_max: Count = 1_200
    timeout: Span = timedelta(seconds=20)
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    daily_max: Annotated[int, Field(ge=0)] = 50
    concurrency: Count = 4
    failures_max: Count = 5
    open_for: Span = timedelta(seconds=60)


class Calendar(Section):
    """What is read of calendars (ST-16)."""

    past: Duration = 30 * DAY
    ahead: Span = 180 * DAY
    bytes_max: Size = 5 * 1_048_576
    occurrences_max: Count = 10_000
    refresh: Span = 60 * MINUTE


class Retention(Section):
    """How long after their end rows stay."""

    days: Count = 180


class Settings(Section):
    """All settings."""

    profile: Literal["development", "production"] = "development"
    namespace: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")] = "outrider"
    enabled: bool = True
    secret_key: Secret = None
    secret_key_old: Secret = None
    database: Database = Database()
    broker: Broker = Broker()
    http: Http = Http()
    web: Web = Web()
    defaults: Defaults = Defaults()
    scan: Scan = Scan()
    reconcile: Reconcile = Reconcile()
    trigger: Trigger = Trigger()
    prepare: Prepare = Prepare()
    search: Search = Search()
    solver: Solver = Solver()
    preview: Preview = Preview()
    selector: Selector = Selector()
    calendar: Calendar = Calendar()
    retention: Retention = Retention()

    @property
    def public_url(self) -> str:
        """What people open, without a slash at its end."""
        host = f"[{self.http.host}]" if ":" in self.http.host else self.http.host
        return (self.http.public_url or f"http://{host}:{self.http.port}").rstrip("/")


SECRETS: Final = frozenset({"database.url", "broker.url", "secret_key", "secret_key_old", "selector.api_key"})
"""Keys whose value is never shown, and that may be given as `…_FILE`."""


def known_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Mapping[str, Any]:
    """Every dotted key with its default, in the order of the sections."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= known_keys(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = field.get_default(call_default_factory=True)
    return found
