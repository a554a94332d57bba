"""The roles of a worker, each a service or several of a process.

Source: spec/scheduling.md ST-70.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from outrider.bootstrap.running import Service
from steward.bootstrap.faults import NothingCarries, StartRefused
from steward.bootstrap.messages import PROMOTE, TRIGGERED
from steward.bootstrap.running import Looping
from steward.bootstrap.steward import Steward

ROLES: Final = ("relay", "consumer", "notifier", "scan", "prepare", "reconcile", "feeds")


async def services_of(steward: Steward, roles: Collection[str]) -> list[Service]:
    """The services of these roles, ready to start. Raises NothingCarries, StartRefused for a role that there is not."""
    if unknown := sorted(set(roles) - set(ROLES)):
        raise StartRefused(f"there is no role {', '.join(unknown)}; there are {', '.join(ROLES)}")
    if steward.values.broker.kind == "none":
        raise NothingCarries(
            "broker.url is none: messages are added and nothing carries them, so a worker has no work; say log:, or a broker"
        )
    made: list[Service] = []
    for role in ROLES:
        if role in roles:
            made += await _relays(steward) if role == "relay" else _MAKERS[role](steward)
    return made


async def _relays(steward: Steward) -> list[Service]:
    """With `log:` nothing is to be relayed, and the pruner alone runs."""
    upkeep, relay = _late("outrider.bootstrap.upkeep"), _late("outrider.bootstrap.relay")
    made: list[Service] = []
    for one in steward.sites.values():
        if steward.values.broker.kind == "log":
            made.append(upkeep.Upkeep(one, steward.telemetry))
            continue
        parts = relay.RelayParts(one, steward.telemetry)
        await parts.prepare()
        made += [parts.relay, parts.upkeep]
    return made


def _consumer(steward: Steward) -> Sequence[Service]:
    settings = steward.outrider.steward
    handles = {TRIGGERED: steward.accepting.triggered, PROMOTE: steward.accepting.promote}
    make = _late("steward.bootstrap.consuming").steward_consumer
    consumer = make(steward.catalog, steward.handlers_pool, steward.database, handles, steward.held)
    return [consumer.service(settings, telemetry=steward.telemetry)]


def _late(module: str) -> Any:  # noqa: ANN401 - a module
    """What only some roles are made of, loaded where they are: a process is at work the sooner."""
    return import_module(module)


def _scan(steward: Steward) -> Sequence[Service]:
    """Where suggestions are switched off, nothing is scanned."""
    return [Looping("scan", steward.scanning.serve)] if steward.values.enabled else []


_MAKERS: Final[Mapping[str, Callable[[Steward], Sequence[Service]]]] = {
    "consumer": _consumer,
    "notifier": lambda steward: [steward.notifier],
    "scan": _scan,
    "prepare": lambda steward: [Looping("prepare", steward.preparing.serve)],
    "reconcile": lambda steward: [Looping("reconcile", steward.reconciling.serve)],
    "feeds": lambda steward: [Looping("feeds", steward.feeds.serve)],
}
