"""What a channel promises and allows. Source: spec/notification.md §8, §10, NT-19 to NT-23."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from outrider.core.errors import ConfigurationError

RATES_MAX: Final = 2
_NOTHING: Final = timedelta(0)


class SendPolicy(StrEnum):
    """What a channel does when nobody knows whether a call told the person (NT-19)."""

    EXACTLY_ONCE = "exactly_once"
    """The effect commits with the record: the in-app inbox alone."""
    AT_LEAST_ONCE = "at_least_once"
    """Call again: the person may be told twice, unless the provider takes a key."""
    AT_MOST_ONCE = "at_most_once"
    """Stop, and say that it is unknown."""


class Form(StrEnum):
    """How rich a message is, richest first: a provider that refuses one may take the next (NT-29)."""

    CARD = "card"
    TEXT = "text"
    NEUTRAL = "neutral"
    """The kind's fixed words and the link; nothing that a person or a model wrote."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` sends in any `per`. Raises ConfigurationError for values that are not positive."""

    count: int
    per: timedelta

    def __post_init__(self) -> None:
        if self.count < 1 or self.per <= _NOTHING:
            raise ConfigurationError(f"a rate is a positive count in a positive time, not {self.count} in {self.per}")


@dataclass(frozen=True, slots=True)
class ChannelTraits:
    """What the notifier must know of a channel. A channel is made with its traits, so that settings can tighten them.

    `keyed`: the provider takes our key and gives one message for it, within `dedupe_window` of the first call (None:
    for ever). `ambiguous_max`: how many more calls follow an ambiguous one under at_least_once without a key (None: as
    many as there are tries). `forms`: those that it can send, richest first, never empty. `timeout`: of one call, all
    of it. `local`: its effect is written by the record store with the record's end, `send` is not called. `pushes`: it
    reaches somebody outside, so it needs an address, keeps quiet hours and digests, and counts as having told; inbox
    and console do not. `rates`: of its own destination, at most two, the shorter span first. `max_bytes`: of a payload
    as it is sent, None without a limit. `disable_after`: how long a destination may fail without a success before it is
    switched off, None: as the settings say (NT-27). `looks_up`: `lookup` can tell later what became of a call (T16).
    """

    policy: SendPolicy
    timeout: timedelta
    keyed: bool = False
    dedupe_window: timedelta | None = None
    ambiguous_max: int | None = None
    forms: tuple[Form, ...] = (Form.TEXT, Form.NEUTRAL)
    local: bool = False
    pushes: bool = True
    rates: tuple[Rate, ...] = ()
    max_bytes: int | None = None
    disable_after: timedelta | None = None
    looks_up: bool = False

    def __post_init__(self) -> None:
        check_rates(self.rates)
        order = list(Form)
        faults = [
            "timeout must be positive" if self.timeout <= _NOTHING else "",
            "dedupe_window must be positive" if self.dedupe_window is not None and not self.dedupe_window else "",
            "a dedupe_window needs a keyed channel" if self.dedupe_window is not None and not self.keyed else "",
            "ambiguous_max must not be negative" if self.ambiguous_max is not None and self.ambiguous_max < 0 else "",
            "forms must be distinct, richest first, at least one"
            if not self.forms or list(self.forms) != sorted(set(self.forms), key=order.index)
            else "",
        ]
        if any(faults):
            raise ConfigurationError("channel traits: " + "; ".join(fault for fault in faults if fault))

    def simpler(self, form: Form) -> Form | None:
        """The next form after this one that the channel has, or None."""
        later = self.forms[self.forms.index(form) + 1 :]
        return later[0] if later else None


def check_rates(rates: tuple[Rate, ...]) -> None:
    """Raise ConfigurationError unless there are at most two rates, the one over the shorter span first."""
    spans = [rate.per for rate in rates]
    if len(rates) > RATES_MAX or spans != sorted(set(spans)):
        raise ConfigurationError("rates: at most two, the one over the shorter span first")
