"""Whether what carries messages answers and keeps up: what the readiness probe of an application asks.

Invariant: probes cost the database and the broker a look in `LOOK_SECONDS` at most, however many there are. Source: OB-44.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from outrider.bootstrap.brokers import kafka_settings
from outrider.bootstrap.registry import adapter
from outrider.bootstrap.wiring import Site
from outrider.core.errors import AccessRefused, OutriderError
from outrider.core.gauges import Gauges, measure_lanes
from outrider.core.subscriptions import RELAY_SUBSCRIPTION

LAG_MAX: Final = timedelta(minutes=10)
"""A message that has waited longer shows that nobody carries what is added."""
LOOK_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 2.0
"""How long the broker may take to answer."""


class Reach:
    """Of sites with one broker and one database."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = sites
        self._broker, self._clock = sites[0].settings.broker, sites[0].clock
        self._admin: Any = None
        self._looking = asyncio.Lock()
        self._known: Mapping[str, str] = {}
        self._looked_at: float | None = None

    async def hindrances(self) -> Mapping[str, str]:
        """What is the matter, by `broker`, `lag` and `database`; empty if all is well."""
        async with self._looking:
            now = self._clock.boottime()
            if self._looked_at is None or now - self._looked_at >= LOOK_SECONDS:
                self._known = {**await self._of_broker(), **await self._of_lag()}
                self._looked_at = now
            return self._known

    async def close(self) -> None:
        """Let go of the broker."""
        if self._admin is not None:
            self._admin.close()

    async def _of_broker(self) -> Mapping[str, str]:
        if self._broker.kind != "kafka":
            return {}
        try:
            if self._admin is None:
                self._admin = adapter("topics", "kafka")(kafka_settings(self._broker))
            await self._admin.enter(ANSWER_SECONDS)
        except OutriderError as error:
            return {"broker": error.code}
        return {}

    async def _of_lag(self) -> Mapping[str, str]:
        if self._broker.kind == "none":
            return {}  # nothing is carried, and that is meant
        oldest = 0.0
        try:
            for made in self._sites:
                async with made.session(check=False) as session:
                    found = await session.run(measure_lanes(Gauges()))
                oldest = max([oldest, *(lane.oldest_age for lane in found.lanes if self._counts(lane.subscription))])
        except AccessRefused:
            return {}  # this user may not look at lanes (OB-94)
        except OutriderError as error:
            return {"database": error.code}
        if oldest <= LAG_MAX.total_seconds():
            return {}
        return {"lag": f"a message has waited {oldest:.0f} s for who carries it"}

    def _counts(self, subscription: str) -> bool:
        """Whether a broker, or the log as a broker, is read by it: a lane of the other kind may be left from before."""
        return (subscription == RELAY_SUBSCRIPTION) == (self._broker.kind != "log")
