"""The settings of notifications, `notification.*`: their types and defaults, as frozen values.

Source: spec/notification.md section 10. What they mean for each other is checked by `notification.policy`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr

from outrider.bootstrap.settings_fields import (
    Count,
    Duration,
    Names,
    NotGiven,
    Section,
    Size,
    Span,
    Text,
    parse_items,
)

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
Secret = Annotated[SecretStr | None, NotGiven]


def _rate(value: object) -> object:
    """`4/s, 90/min` as (times, seconds) pairs."""
    found = parse_items(value)
    return [_one_rate(item) for item in found] if isinstance(found, list | tuple) else found


def _one_rate(item: object) -> object:
    if not isinstance(item, str):
        return item
    times, _, unit = item.partition("/")
    seconds = {"s": 1, "sec": 1, "min": 60, "h": 3_600}.get(unit.strip())
    if seconds is None or not times.strip().isdigit() or int(times) < 1:
        raise ValueError("must be rates such as 4/s or 90/min, comma-separated")
    return int(times), seconds


Rates = Annotated[tuple[tuple[int, float], ...] | None, NotGiven, BeforeValidator(_rate)]


class Route(Section):
    """Where a kind goes: to each of `always`, and to the first of `first_of` that can be used."""

    always: Names = ()
    first_of: Names = ()


class DefaultRoute(Route):
    """Where a kind goes that has no route of its own."""

    always: Names = ("inbox",)


class Digest(Section):
    """Whether what follows soon goes as one list."""

    mode: Literal["off", "trailing", "leading"] = "off"
    window: Span = 30 * MINUTE


class Breaker(Section):
    """When a destination that does not answer is left alone."""

    failures: Count = 5
    first: Span = timedelta(seconds=30)
    max: Span = 30 * MINUTE
    disable_after: Span = DAY


class Ssrf(Section):
    """Where a URL that somebody sets may lead."""

    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], BeforeValidator(parse_items)] = (443,)
    allow: Names = ()


class Retention(Section):
    """How long after its end what is kept of a record."""

    texts: Span = 30 * DAY
    attempts: Span = 30 * DAY
    records: Span = 90 * DAY
    inbox: Span = 180 * DAY


class Channel(Section):
    """What every channel has; None is the channel's own value."""

    enabled: bool = False
    policy: Annotated[Literal["at_most_once", "at_least_once"] | None, NotGiven] = None
    ambiguous_max: Annotated[Annotated[int, Field(ge=0, le=10)] | None, NotGiven] = None
    timeout: Annotated[Span | None, NotGiven] = None
    rate: Rates = None
    envelope: str = ""
    window: Annotated[Span | None, NotGiven] = None


class Inbox(Channel):
    """The list inside the application."""

    enabled: bool = True


class FeishuFlow(Channel):
    """A Feishu flow's webhook."""

    event: Annotated[str, Field(min_length=1, max_length=128)] = "smartflow.schedule_adjustment_ready"
    lark: bool = False


class FeishuApp(Channel):
    """A Feishu or Lark application of one's own."""

    app_id: Text = None
    app_secret: Secret = None
    base_url: str = "https://open.feishu.cn"
    token_url: Text = None


class Email(Channel):
    """The mail server."""

    host: Text = None
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text = None
    password: Secret = None
    sender: Text = None


class Apprise(Channel):
    """Whatever Apprise reaches."""

    schemes: Names = ()


class Channels(Section):
    """The channels by name."""

    inbox: Inbox = Inbox()
    console: Channel = Channel()
    feishu_bot: Channel = Channel()
    feishu_flow: FeishuFlow = FeishuFlow()
    feishu_app: FeishuApp = FeishuApp()
    webhook: Channel = Channel()
    email: Email = Email()
    apprise: Apprise = Apprise()


class Http(Section):
    """`outrider notify serve`. `tokens` are `SHA-256 hex:recipient:role+role`, comma-separated."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8766
    body_max: Size = 32 * 1_024
    rate: Count = 1
    burst: Count = 20
    tokens: Names = ()


class Notification(Section):
    """How notifications reach people."""

    enabled: bool = True
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    retry_base: Span = 5 * MINUTE
    retry_max: Span = 30 * MINUTE
    give_up_after: Span = DAY
    summary_max: Count = 180
    batch: Count = 100
    poll: Span = timedelta(seconds=1)
    concurrency: Count = 16
    per_destination: Count = 4
    lease: Span = timedelta(seconds=60)
    dedupe_window: Span = 30 * MINUTE
    dedupe_windows: Mapping[str, Span] = Field(default_factory=dict)
    window_margin: Annotated[Duration | None, NotGiven] = None
    reopen_window: Span = DAY
    route: DefaultRoute = DefaultRoute()
    routes: Mapping[str, Route] = Field(default_factory=dict)
    feishu_route: Names = ("feishu_flow", "feishu_bot", "feishu_app")
    digest: Mapping[str, Digest] = Field(default_factory=dict)
    default_locale: str = "zh-CN"
    default_zone: str = "Asia/Shanghai"
    public_base_url: str = ""
    action_paths: Names = ()
    link_hosts: Names = ()
    operators: Names = ()
    secret_keys: Annotated[tuple[SecretStr, ...], BeforeValidator(parse_items)] = ()
    templates: Text = None
    breaker: Breaker = Breaker()
    ssrf: Ssrf = Ssrf()
    retention: Retention = Retention()
    channels: Channels = Channels()
    http: Http = Http()
