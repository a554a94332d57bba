"""Settings from flags, environment, file and defaults, in this order; the only reader of the environment.

Invariant: either every fault of every source is named at once, or the settings are whole; nothing unknown is passed over
(OB-90). Source: spec/outbox.md section 14.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from outrider.bootstrap.layers import Layers, Vocabulary, asked, dotted
from outrider.bootstrap.secured import connection_faults, database_url
from outrider.bootstrap.settings_model import SECRETS, Database, Settings, known_keys
from outrider.core.errors import ConfigurationError

if TYPE_CHECKING:
    from outrider.bootstrap.settings_notification import Notification

ENVIRONMENT: Final = "OUTRIDER_"
FILE: Final = "outrider.toml"
DESTINATION_KEYS: Final = ("max_bytes", "partitioner", "rate")
OPEN_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "broker.destinations": DESTINATION_KEYS,
    "notification.dedupe_windows": (),
    "notification.routes": ("always", "first_of"),
    "notification.digest": ("mode", "window"),
}
"""Keys below which names of the user's own stand, with what may be said of each; none: the name has the value itself."""
NOTIFICATION: Final = "notification."
PLACEHOLDERS: Final = {"service.name": "unnamed", "database.url": "sqlite:///unnamed"}
NO_SETTINGS: Final[Mapping[str, object]] = MappingProxyType({})
FORMS: Final = {
    "service.name": "must be lower-case letters, digits and dashes, at most 32",
    "service.catalog": "must be module:name",
    "database.url": "must be postgresql://…, mysql://…, mariadb://… or sqlite:///FILE",
    "database.db_schema": "must be lower-case letters, digits and underscores, at most 63",
    "broker.url": "must be log:, kafka://host:port,…, memory: or none:",
}
"""What a key that must match a pattern should look like."""


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Read the settings. `flags` are values by dotted key; `config` is a file that must exist (default: `outrider.toml`
    here, if there is one); `environment` stands for the process's own.

    Raises ConfigurationError whose text, and field `faults`, name every fault found.
    """
    layers = Layers(_vocabulary())
    layers.read_file(config)
    layers.read_environment(os.environ if environment is None else environment)
    for key, value in (flags or {}).items():
        layers.add(key, value, "flag")
    return _checked(layers)


def notify_url(environment: Mapping[str, str] | None = None) -> str | None:
    """The PostgreSQL URL for the NOTIFY after a commit, where `wakeup.notify` is on, else None. Never raises: an outbox
    works without settings, and what is wrong with them is said by the processes that need them (OB-43).
    """
    layers = Layers(_vocabulary())
    layers.read_file(None)
    layers.read_environment(os.environ if environment is None else environment)
    wanted = str(layers.values.get("wakeup.notify", "off")).lower() in {"true", "on", "yes", "1"}
    try:
        database = Database.model_validate(_tree(layers.values)["database"])
    except ValidationError:
        return None
    return database_url(database) if wanted and database.url.startswith("postgresql:") else None


def given(*, config: Path | None = None, environment: Mapping[str, str] | None = None) -> dict[str, tuple[Any, str]]:
    """What file and environment say, unchecked: the value of each known key that is given, and where it stands."""
    layers = Layers(_vocabulary())
    layers.read_file(config)
    layers.read_environment(os.environ if environment is None else environment)
    return {key: (value, layers.origins[key]) for key, value in layers.values.items()}


def make(values: Mapping[str, object]) -> Settings:
    """Settings from values by dotted key alone: neither environment nor file is read. Raises as `load`."""
    layers = Layers(_vocabulary())
    for key, value in values.items():
        layers.add(key, value, "argument")
    return _checked(layers)


def wants_color() -> bool:
    """Whether the person has not set NO_COLOR, the terminals' own convention (no-color.org)."""
    return not os.environ.get("NO_COLOR")


def wants_traces(environment: Mapping[str, str] | None = None) -> bool:
    """Whether OpenTelemetry's own variables ask for traces: `OTEL_TRACES_EXPORTER=otlp`, or an endpoint alone."""
    given = os.environ if environment is None else environment
    if given.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = given.get("OTEL_TRACES_EXPORTER")
    if exporter is not None:
        return exporter == "otlp"
    return bool(given.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or given.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def is_known(key: str) -> bool:
    """Whether there is such a setting, `broker.destinations.TOPIC.max_bytes` included (a topic may have dots)."""
    opened = _opened(key)
    if opened is not None:
        name, last = _named(opened, key)
        return bool(name) and (not OPEN_KEYS[opened] or last in OPEN_KEYS[opened])
    return key in all_keys(key) and key not in OPEN_KEYS


def all_keys(key: str = NOTIFICATION) -> dict[str, Any]:
    """The keys among which `key` may be, with their defaults: those of notifications only where it is one of them."""
    if not key.startswith(NOTIFICATION):
        return known_keys()
    from outrider.bootstrap.settings_notification import Notification  # noqa: PLC0415 - paid for by who uses it

    return known_keys() | known_keys(Notification, NOTIFICATION)


def notification_of(settings: Settings) -> "Notification":
    """The settings of notifications, as values."""
    from outrider.bootstrap.settings_notification import Notification  # noqa: PLC0415 - paid for by who uses it

    return Notification.model_validate(settings.notification)


def _opened(key: str) -> str | None:
    return next((opened for opened in OPEN_KEYS if key.startswith(f"{opened}.")), None)


def _named(opened: str, key: str) -> tuple[str, str]:
    """The name of the user's own in a key below an open one, and what is said of it."""
    rest = key.removeprefix(f"{opened}.")
    if not OPEN_KEYS[opened]:
        return rest, ""
    name, _, last = rest.rpartition(".")
    return name, last


def nearest(key: str) -> str:
    """`; did you mean …?`, or nothing where no key is near."""
    return asked(_vocabulary().nearest(key))


def variable(key: str) -> str:
    """`relay.batch_size` as `OUTRIDER_RELAY__BATCH_SIZE`."""
    return _vocabulary().variable(key)


def _vocabulary() -> Vocabulary:
    return Vocabulary(ENVIRONMENT, FILE, is_known, all_keys, SECRETS, _key)


def _key(name: str) -> str:
    """The dotted key of a variable's name; a name of the user's own (a topic) keeps its case, all else is lower."""
    parts = name.split("__")
    opened = ".".join(part.lower() for part in parts[:2])
    own = range(0) if opened not in OPEN_KEYS else range(2, len(parts) - (1 if OPEN_KEYS[opened] else 0))
    return ".".join(part if index in own else part.lower() for index, part in enumerate(parts))


def _checked(layers: Layers) -> Settings:
    wrong: set[str] = set()
    _check_notification(layers)
    try:
        settings = Settings.model_validate(_tree(layers.values))
    except ValidationError as error:
        wrong = {dotted(found["loc"]) for found in error.errors()}
        layers.faults += [_line(layers, found["loc"], found["msg"], found["type"]) for found in error.errors()]
        sound = {key: value for key, value in layers.values.items() if not any(_covers(bad, key) for bad in wrong)}
        settings = Settings.model_validate(_tree(PLACEHOLDERS | sound))
    layers.faults += [line for keys, line in contradictions(settings) if not wrong & set(keys)]
    if layers.faults:
        raise ConfigurationError(
            "the settings are wrong:\n" + "\n".join(f"  - {fault}" for fault in layers.faults),
            faults=tuple(layers.faults),
        )
    return settings


def _check_notification(layers: Layers) -> None:
    """Find the faults of what is said of notifications, where anything is."""
    given = _tree(layers.values).get("notification")
    if given is None:
        return
    from outrider.bootstrap.settings_notification import Notification  # noqa: PLC0415 - paid for by who uses it

    try:
        Notification.model_validate(given)
    except ValidationError as error:
        for found in error.errors():
            layers.faults.append(_line(layers, ("notification", *found["loc"]), found["msg"], found["type"]))


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {"service": {}, "database": {}}
    for key, value in values.items():
        parts = key.split(".")
        if (opened := _opened(key)) is not None:
            parts = [*parts[:2], *(part for part in _named(opened, key) if part)]
        branch = tree
        for part in parts[:-1]:
            branch = branch.setdefault(part, {})
        branch[parts[-1]] = value
    return tree


def _covers(bad: str, key: str) -> bool:
    return key == bad or bad.startswith(f"{key}.")


def _line(layers: Layers, place: tuple[int | str, ...], message: str, kind: str) -> str:
    key = dotted(place)
    if kind == "missing":
        return f"{key}: is required; set it as {variable(key)} or in {FILE}"
    return layers.line(key, FORMS.get(key, message) if kind == "string_pattern_mismatch" else message)


def contradictions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Settings that are sound alone and wrong together: the keys, and one line."""
    relay, prune = settings.relay, settings.prune
    if relay.lease < 3 * relay.publish_timeout:
        three = seconds(3 * relay.publish_timeout)
        line = f"relay.lease: {seconds(relay.lease)} is less than three times relay.publish_timeout, {three}"
        yield ("relay.lease", "relay.publish_timeout"), line
    if relay.poll_min > relay.poll_max:
        yield ("relay.poll_min", "relay.poll_max"), "relay.poll_min: must not exceed relay.poll_max"
    if prune.keep > prune.receipts_keep:
        line = f"prune.receipts_keep: {seconds(prune.receipts_keep)} is shorter than prune.keep, {seconds(prune.keep)}"
        yield ("prune.keep", "prune.receipts_keep"), f"{line}: a late copy would take effect twice"
    yield from connection_faults(settings.database, settings.broker)
    yield from _unsupported(settings)


def _unsupported(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """What the specification names and this release does not do: refused, never silently passed over."""
    if settings.broker.transactional and settings.broker.kind != "kafka":
        yield ("broker.transactional",), "broker.transactional: only Kafka has transactions"
    elif settings.broker.transactional and settings.database.url.startswith(("mysql:", "mariadb:")):
        line = "MySQL and MariaDB have no single position that a transaction of the broker could keep (OB-101)"
        yield ("broker.transactional",), f"broker.transactional: {line}"
    if settings.prune.partition_rows:
        yield ("prune.partition_rows",), "prune.partition_rows: partitions are not supported by this release"


def seconds(span: timedelta) -> str:
    """A span for people: `15 s`, `100 ms`, `7 d`."""
    total = span.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if total >= size and total % size == 0:
            return f"{total / size:g} {unit}"
    return f"{total * 1000:g} ms" if 0 < total < 1 else f"{total:g} s"
