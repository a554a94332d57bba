"""The lanes of a log, as shares whose starts are counted by their cursors when they are taken."""

from collections.abc import Sequence

from outrider.consumer.item import Item
from outrider.consumer.log_lane import LogLane, LogOrigin
from outrider.consumer.log_share import LogShare
from outrider.core.suspects import Start, judge_start


class LanePlaces:
    """As `consumer.caution.Places`. A position that is written forgets the deaths before, so nothing else must."""

    def __init__(self, shares: Sequence[LogShare]) -> None:
        self._shares = shares

    @property
    def lasting(self) -> bool:
        """Every lane is taken anew, and its cursor knows by whom."""
        return False

    def of(self, item: Item) -> LogLane | None:
        """The lane that it was read from."""
        origin = item.origin
        return origin.chunk.lane if isinstance(origin, LogOrigin) and origin.chunk is not None else None

    def name_of(self, item: Item) -> int | None:
        """Its log id."""
        origin = item.origin
        return int(origin.row[0]) if isinstance(origin, LogOrigin) else None

    async def begin(self, places: Sequence[LogLane]) -> dict[LogLane, Start[int]]:
        """What the cursor said when the lane was taken."""
        return {lane: judge_start(lane.starts, lane.found_mark) for lane in places}

    async def mark(self, place: LogLane, item: Item, starts: int) -> None:
        """Mark the cursor."""
        share = next((share for share in self._shares if share.log.owned.get(place.key.lane) is place), None)
        if share is not None:
            await share.mark(place, self.name_of(item), starts)

    async def forget(self, places: Sequence[LogLane]) -> None:
        """Let the next write forget the mark."""
        for lane in places:
            lane.marked = None
