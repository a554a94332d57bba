"""Names of a service and the route of a type.

Invariant: every name here has matched its pattern, so it may become an identifier, a topic or a group; nothing of a
message ever does (OB-33, X7).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from json import loads
from typing import Any, Final, Literal, Self

from outrider.core.canonical import canonical_json
from outrider.core.errors import CatalogError
from outrider.core.upcast import VERSION_MAX

OnDead = Literal["continue", "hold"]
EventClass = type[Any]
Late = Literal["apply", "park"]

SERVICE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
PREFIX: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
CONSUMER: Final = re.compile(r"[a-z][a-z0-9._-]{0,63}")
GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9._:/-]{0,127}")
TOPIC: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MAX_BYTES_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """What follows from a service's name: the prefix of its tables, its topic, its consumer group. Source: OB-30."""

    name: str
    prefix: str
    topic: str
    group: str

    @classmethod
    def of(
        cls,
        name: str,
        namespace: str = "outrider",
        *,
        prefix: str | None = None,
        topic: str | None = None,
        group: str | None = None,
    ) -> Self:
        """The names of service `name`, by convention where none is given. Raises CatalogError for a malformed one."""
        names = cls(
            name=name,
            prefix=f"{str(name).replace('-', '_')}_" if prefix is None else prefix,
            topic=f"{namespace}.{name}.outbox" if topic is None else topic,
            group=f"{namespace}-{name}-outbox-consumer" if group is None else group,
        )
        parts = ((SERVICE, "name", name), (PREFIX, "prefix", names.prefix), (TOPIC, "topic", names.topic))
        faults = [_malformed(f"service {name!r}: {what}", text, rule) for rule, what, text in parts]
        faults.append(_malformed(f"service {name!r}: group", names.group, GROUP))
        _raise_if_any(faults)
        return names


@dataclass(frozen=True, slots=True)
class Route:
    """Where a type travels and what is expected of it. `version` is the newest that is known. Source: OB-31.

    `owner` is the service on whose topic the type travels; `producers` the services that may add it; `consumers` those
    whose receipts are expected; `topic` the default and `topics` the others that a message may name; `key` the field
    of the payload that orders it; `max_bytes` None means the destination's limit.
    """

    type: str
    version: int
    owner: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    topic: str
    topics: tuple[str, ...] = ()
    key: str | None = None
    on_dead: OnDead = "continue"
    late: Late = "apply"
    max_bytes: int | None = None
    event_class: EventClass | None = None

    def faults(self) -> list[str]:
        """What is malformed in this route alone, one line each; empty when it is well formed."""
        label = f"type {self.type!r}"
        found = [
            _malformed(label, self.type, TYPE),
            _malformed(f"{label}: owner", self.owner, SERVICE),
            *(_malformed(f"{label}: producer", name, SERVICE) for name in self.producers),
            *(_malformed(f"{label}: consumer", name, CONSUMER) for name in self.consumers),
            *(_malformed(f"{label}: topic", name, TOPIC) for name in (self.topic, *self.topics)),
            *self._value_faults(label),
        ]
        return [fault for fault in found if fault]

    def _value_faults(self, label: str) -> list[str | None]:
        bounded = self.max_bytes is None or (_whole(self.max_bytes) and 1 <= self.max_bytes <= MAX_BYTES_MAX)
        return [
            None if 1 <= self.version <= VERSION_MAX else f"{label}: version must be 1…{VERSION_MAX}",
            None if self.producers else f"{label}: producers must name at least one service",
            None if self.on_dead in {"continue", "hold"} else f"{label}: on_dead must be 'continue' or 'hold'",
            None if self.late in {"apply", "park"} else f"{label}: late must be 'apply' or 'park'",
            None if bounded else f"{label}: max_bytes must be 1…{MAX_BYTES_MAX} or None",
            None if self.key is None or self.key else f"{label}: key must name a field",
        ]

    def hash(self) -> str:
        """SHA-256, in lower hex, of what the table `outrider_route` keeps of this route (OB-97, OB-98)."""
        return sha256(canonical_json(self._facts(), field="route")).hexdigest()

    def _facts(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "owner": self.owner,
            "topic": self.topic,
            "producers": sorted(self.producers),
            "consumers": sorted(self.consumers),
            "version_max": self.version,
            "on_dead": self.on_dead,
            "late": self.late,
            "max_bytes": self.max_bytes or 0,
        }

    def to_row(self, consumers_here: Iterable[str] = ()) -> dict[str, Any]:
        """The columns of `outrider_route` but `updated_at`: JSON columns as JSON text, `max_bytes` 0 for None."""
        row = self._facts()
        row["producers"] = canonical_json(row["producers"]).decode()
        row["consumers"] = canonical_json(row["consumers"]).decode()
        row["consumers_here"] = canonical_json(sorted(set(consumers_here) & set(self.consumers))).decode()
        row["hash"] = self.hash()
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The route that a row tells of, without class, `topics` and `key`; JSON columns as text or as lists.

        Its `hash()` is the row's. Raises CatalogError for a row that is no well-formed route.
        """
        route = cls(
            type=row["type"],
            version=int(row["version_max"]),
            owner=row["owner"],
            producers=_names(row["producers"]),
            consumers=_names(row["consumers"]),
            topic=row["topic"],
            on_dead=row["on_dead"],
            late=row["late"],
            max_bytes=int(row["max_bytes"] or 0) or None,
        )
        _raise_if_any(route.faults())
        return route


def _names(column: str | bytes | list[str]) -> tuple[str, ...]:
    names = loads(column) if isinstance(column, str | bytes) else column
    return tuple(str(name) for name in names)


def _malformed(label: str, text: object, rule: re.Pattern[str]) -> str | None:
    if isinstance(text, str) and rule.fullmatch(text):
        return None
    return f"{label} {ascii(text)[:80]} must match {rule.pattern}"


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _raise_if_any(faults: Iterable[str | None]) -> None:
    found = [fault for fault in faults if fault]
    if found:
        raise CatalogError(found)
