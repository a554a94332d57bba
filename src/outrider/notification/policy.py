"""The settings of notifications as one value, checked. Source: spec/notification.md §10.

Invariant: a policy that exists holds together; a bad value raises ConfigurationError that names its key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from outrider.core.errors import ConfigurationError
from outrider.core.notification.request import Route
from outrider.core.notification.traits import ChannelTraits

DigestMode = Literal["off", "trailing", "leading"]

_NOTHING: Final = timedelta(0)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
LEASE_SHARE: Final = 6
"""A lease holds two calls of the slowest channel and this part of itself besides."""
BEGIN_SHARE: Final = 12
"""What must be left of a lease at `begin` beside the call (NT-10), and of a window as its margin (NT-22)."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a destination is left alone (NT-24, NT-27)."""

    failures: int = 5
    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=30)
    disable_after: timedelta = _DAY
    strikes: int = 3


@dataclass(frozen=True, slots=True)
class DigestPolicy:
    """Whether what follows within `window` waits to go as one list (NT-34)."""

    mode: DigestMode = "off"
    window: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long after its end a record keeps what (spec/notification.md §9)."""

    texts: timedelta = timedelta(days=30)
    attempts: timedelta = timedelta(days=30)
    records: timedelta = timedelta(days=90)
    inbox: timedelta = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class NotificationPolicy:
    """How the notifier behaves. `retry_max` below `retry_base` counts as `retry_base`.

    `window_margin`: None is a twelfth of each channel's window. `digests`, `routes`, `dedupe_windows`: per kind, where
    they differ from `digest`, `route`, `dedupe_window`.
    """

    enabled: bool = True
    max_attempts: int = 5
    retry_base: timedelta = timedelta(minutes=5)
    retry_max: timedelta = timedelta(minutes=30)
    give_up_after: timedelta = _DAY
    summary_max: int = 180
    batch: int = 100
    poll: timedelta = timedelta(seconds=1)
    concurrency: int = 16
    per_destination: int = 4
    lease: timedelta = timedelta(seconds=60)
    dedupe_window: timedelta = timedelta(minutes=30)
    dedupe_windows: Mapping[str, timedelta] = field(default_factory=dict)
    window_margin: timedelta | None = None
    reopen_window: timedelta = _DAY
    route: Route = field(default_factory=Route)
    routes: Mapping[str, Route] = field(default_factory=dict)
    feishu_route: tuple[str, ...] = ("feishu_flow", "feishu_bot", "feishu_app")
    digest: DigestPolicy = DigestPolicy()
    digests: Mapping[str, DigestPolicy] = field(default_factory=dict)
    default_locale: str = "zh-CN"
    default_zone: str = "Asia/Shanghai"
    public_base_url: str = ""
    action_paths: tuple[str, ...] = ()
    link_hosts: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    breaker: BreakerPolicy = BreakerPolicy()
    retention: Retention = Retention()

    def __post_init__(self) -> None:
        faults = [*_faults_of_counts(self), *_faults_of_times(self), *_faults_of_names(self)]
        if faults:
            raise ConfigurationError("; ".join(f"notification.{fault}" for fault in faults))

    def retry_longest(self) -> timedelta:
        """The longest delay between two tries, never below the first."""
        return max(self.retry_base, self.retry_max)

    def digest_of(self, kind: str) -> DigestPolicy:
        """The rule of this kind."""
        return self.digests.get(kind, self.digest)

    def route_of(self, kind: str) -> Route:
        """The route of this kind where a request names none (NT-7)."""
        return self.routes.get(kind, self.route)

    def dedupe_window_of(self, kind: str) -> timedelta:
        """How long after a request of this kind the same one is a duplicate (NT-4)."""
        return self.dedupe_windows.get(kind, self.dedupe_window)

    def margin_of(self, window: timedelta) -> timedelta:
        """How much of a provider's window is left unused at its end (NT-22)."""
        return window / BEGIN_SHARE if self.window_margin is None else self.window_margin

    def way_of(self, window: timedelta) -> timedelta:
        """How long before the end of a provider's window the last byte of a repeat leaves: so long it has for its way."""
        return self.margin_of(window) / 2

    def reserve_of(self, window: timedelta, call: timedelta) -> timedelta:
        """How long before the end of a provider's window a repeat that may last so long must have begun (NT-22)."""
        return max(self.margin_of(window), call + self.way_of(window))

    def check_channels(self, traits: Mapping[str, ChannelTraits]) -> None:
        """Raise ConfigurationError where these channels, by name, do not fit the policy. For the start of a process."""
        slowest = max((one.timeout for one in traits.values()), default=_NOTHING)
        if self.lease < 2 * slowest + self.lease / LEASE_SHARE:
            raise ConfigurationError(
                f"notification.lease must be at least twice the longest channel timeout ({slowest.total_seconds():g} s)"
                f" and a sixth of itself, not {self.lease.total_seconds():g} s"
            )
        for name, one in traits.items():
            window = one.dedupe_window
            if window is not None and self.reserve_of(window, one.timeout) >= window:
                raise ConfigurationError(
                    f"notification.window_margin and the timeout of {name} leave nothing of that channel's window"
                )
        named = {*self.route.always, *self.route.first_of}
        for route in self.routes.values():
            named |= {*route.always, *route.first_of}
        if missing := sorted(named - traits.keys()):
            raise ConfigurationError(f"notification.routes names channels that are not enabled: {', '.join(missing)}")


def _faults_of_counts(policy: NotificationPolicy) -> list[str]:
    counts = {
        "max_attempts": (policy.max_attempts, 100),
        "summary_max": (policy.summary_max, 2_000),
        "batch": (policy.batch, 1_000),
        "concurrency": (policy.concurrency, 1_000),
        "per_destination": (policy.per_destination, 1_000),
        "breaker.failures": (policy.breaker.failures, policy.max_attempts),
        "breaker.strikes": (policy.breaker.strikes, 100),
    }
    return [
        f"{name} must be 1 to {most}, not {value}" for name, (value, most) in counts.items() if not 1 <= value <= most
    ]


def _faults_of_times(policy: NotificationPolicy) -> list[str]:
    times = {
        "retry_base": (policy.retry_base, _DAY),
        "retry_max": (policy.retry_max, _DAY),
        "give_up_after": (policy.give_up_after, 30 * _DAY),
        "poll": (policy.poll, _HOUR),
        "lease": (policy.lease, _HOUR),
        "dedupe_window": (policy.dedupe_window, 365 * _DAY),
        **{f"dedupe_windows.{kind}": (window, 365 * _DAY) for kind, window in policy.dedupe_windows.items()},
        "reopen_window": (policy.reopen_window, 30 * _DAY),
        "breaker.first": (policy.breaker.first, policy.breaker.longest),
        "breaker.longest": (policy.breaker.longest, _DAY),
        "breaker.disable_after": (policy.breaker.disable_after, 365 * _DAY),
        "digest.window": (policy.digest.window, _DAY),
        **{f"digest.{kind}.window": (one.window, _DAY) for kind, one in policy.digests.items()},
        **{
            f"retention.{name}": (getattr(policy.retention, name), 3_660 * _DAY)
            for name in ("texts", "attempts", "records", "inbox")
        },
    }
    faults = [
        f"{name} must be more than 0 and at most {most}"
        for name, (value, most) in times.items()
        if not _NOTHING < value <= most
    ]
    if policy.window_margin is not None and policy.window_margin < _NOTHING:
        faults.append("window_margin must not be negative")
    return faults


def _faults_of_names(policy: NotificationPolicy) -> list[str]:
    faults = [
        f"digest.{kind}.mode must be off, trailing or leading"
        for kind, one in {"*": policy.digest, **policy.digests}.items()
        if one.mode not in {"off", "trailing", "leading"}
    ]
    faults += [] if is_zone(policy.default_zone) else ["default_zone is no IANA zone"]
    if not policy.route.always and not policy.route.first_of:
        faults.append("route names no channel")
    return faults


def is_zone(name: str) -> bool:
    """Whether this is the name of an IANA zone."""
    try:
        return bool(name) and ZoneInfo(name) is not None
    except (KeyError, ValueError, OSError):
        return False
