"""Which channels a request goes to, and which comes next. Source: spec/notification.md NT-7, NT-28."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from outrider.core.notification.codes import Code
from outrider.core.notification.request import Route
from outrider.core.notification.traits import ChannelTraits, SendPolicy
from outrider.notification.states import Status


@dataclass(frozen=True, slots=True)
class Preference:
    """What a recipient chose: the order of channels and what is muted, a channel or a kind."""

    order: tuple[str, ...] = ()
    muted_channels: frozenset[str] = frozenset()
    muted_kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One record that a request gets. `step` is its place in `first_of`, 0 for `always`; `muted` ends it at once."""

    channel: str
    step: int = 0
    muted: bool = False


def order(route: Route, preference: Preference) -> Route:
    """The route with `first_of` in the recipient's order; channels that the recipient does not name come after."""
    places = {channel: place for place, channel in enumerate(preference.order)}
    ordered = sorted(route.first_of, key=lambda channel: places.get(channel, len(places)))
    return Route(always=route.always, first_of=tuple(one for one in ordered if one not in route.always))


def resolve(
    route: Route, preference: Preference, kind: str, usable: Collection[str], traits: Mapping[str, ChannelTraits]
) -> list[Step]:
    """The records that a request gets at once, of a route as `order` gave it.

    `usable`: the channels on which the recipient has a usable address. Channels that are not enabled here (not in
    `traits`) are left out of `always`; in `first_of` they are not usable. Mutes are for channels that push.
    """

    def muted(channel: str) -> bool:
        pushes = channel not in traits or traits[channel].pushes
        return pushes and (channel in preference.muted_channels or kind in preference.muted_kinds)

    steps = [Step(channel, muted=muted(channel)) for channel in route.always if channel in traits]
    heard = [place for place, channel in enumerate(route.first_of) if not muted(channel)]
    ready = [place for place in heard if route.first_of[place] in usable and route.first_of[place] in traits]
    if route.first_of:
        place = (ready or heard or [0])[0]
        steps.append(Step(route.first_of[place], step=place, muted=not heard))
    return steps


def falls_back(status: Status, code: str | None, policy: SendPolicy) -> bool:
    """Whether a record that ended so hands its request to the next channel (NT-28)."""
    if status is Status.UNKNOWN:
        return policy is SendPolicy.AT_LEAST_ONCE
    return status is Status.DEAD or (status is Status.SKIPPED and code != Code.MUTED)


def next_step(route: Route, channel: str, step: int) -> Step | None:
    """The step after this record's own; None for one of `always` and after the last."""
    if channel not in route.first_of or step + 1 >= len(route.first_of):
        return None
    return Step(route.first_of[step + 1], step=step + 1)
