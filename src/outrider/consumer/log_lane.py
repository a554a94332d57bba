"""One lane of a handler subscription: what was read, what is decided, and how far the written position may follow.

Invariant: the position never passes a message that is undecided; reading again after a crash is harmless, because the
receipts decide (OB-66).
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from json import loads
from uuid import UUID

from outrider.consumer.item import Item
from outrider.consumer.router import Router
from outrider.core.deliveries import KeyOf
from outrider.core.envelope import NO_HEADERS, Envelope, fingerprint
from outrider.core.identity import uuid_from_text
from outrider.core.lane import Cursor, LaneKey
from outrider.core.log_row import Kind, LogRow, parse_kind
from outrider.core.position import Position
from outrider.ports.log_reader import Batch


class Chunk:
    """What one read gave: how many of it are undecided, and the position behind it."""

    __slots__ = ("after", "high_id", "lane", "left", "messages")

    def __init__(self, lane: "LogLane", after: Position, high_id: int, messages: int, left: int) -> None:
        self.lane = lane
        self.after = after
        self.high_id = high_id
        self.messages = messages
        self.left = left


class LogOrigin:
    """Where an item lay in the log. `due_at` is set where its time is ahead; `waiting` where its row waited for that."""

    __slots__ = ("chunk", "due_at", "row", "waiting")

    def __init__(self, row: LogRow, chunk: Chunk | None) -> None:
        self.row = row
        self.chunk = chunk
        self.due_at: datetime | None = None
        self.waiting = False


class LogLane:
    """A lane that this process owns, under its cursor's epoch."""

    def __init__(self, cursor: Cursor, source: str, router: Router) -> None:
        self.key: LaneKey = cursor.key
        self.lanes = cursor.lanes
        self.epoch = cursor.epoch
        self.floor_id = cursor.floor_id
        self.reading: Position = cursor.position
        self.blocked: set[KeyOf] = set()
        self.lost = False
        self.leaving = False
        """To be handed over: nothing new is read, and no row of it is tried."""
        self.exhausted = False
        self.starts, self.found_mark = cursor.starts, cursor.marked_id
        self.marked: int | None = None
        """The message that is being tried alone: a write of the position must not forget it."""
        self._source = source
        self._router = router
        self._chunks: deque[Chunk] = deque()
        self._settled: Position | None = None
        self._high_id = cursor.high_id
        self.passed = cursor.passed
        self._marks: dict[str, int] = {}

    def take(self, batch: Batch) -> list[Item]:
        """Go on behind `batch`, and make its items; types that are nobody's business here are passed at once."""
        self.reading = batch.after
        self.exhausted = batch.exhausted
        if not batch.rows:
            if not self._chunks and batch.opened:
                self._settled = self._settled and batch.after
            return []
        chunk = Chunk(self, batch.after, max(row[0] for row in batch.rows), len(batch.rows), 0)
        handlers, ignores = self._router.handlers, self._router.ignores
        items: list[Item] = []
        for row in batch.rows:
            kind = parse_kind(row[2])
            if kind.type in handlers or not ignores(kind.type):
                items.append(self.item(row, kind, chunk))
        chunk.left = len(items)
        self._chunks.append(chunk)
        if not items:
            self._follow()
        return items

    def item(self, row: LogRow, kind: Kind, chunk: Chunk | None) -> Item:
        """The item of a log row; `kind` is its third column, parsed."""
        log_id, id_text, _, key, payload, time, extra = row
        message_id = uuid_from_text(id_text)
        mark = self._marks.get(kind.type)
        if mark is None:
            mark = self._marks[kind.type] = fingerprint(self._source, kind.type)
        origin = LogOrigin(row, chunk)
        if extra is None:
            envelope = Envelope(
                message_id, self._source, kind.type, kind.version, key, key, datetime.fromisoformat(time),
                kind.content_type, log_id, 0, None, None, None, None, None, NO_HEADERS, payload, mark,
            )  # fmt: skip
        else:
            envelope = self._with_extra(row, kind, message_id, mark, loads(extra), origin)
        item = Item(message_id, id_text, mark, kind.topic, key, envelope, origin)
        item.max_retry = kind.max_retry
        return item

    def decided(self, chunk: Chunk) -> None:
        """One more message of `chunk` is decided."""
        chunk.left -= 1
        if chunk.left == 0:
            self._follow()

    @property
    def undecided(self) -> bool:
        """Whether messages of it are in hand."""
        return bool(self._chunks)

    def rest(self) -> None:
        """With nothing in hand, all that was read may be written, empty ticks too."""
        if not self._chunks:
            self._settled = self.reading

    @property
    def unwritten(self) -> tuple[Position, int, int] | None:
        """Position, highest id and count of messages that may be written; None where nothing moved."""
        return None if self._settled is None else (self._settled, self._high_id, self.passed)

    def written(self, position: Position) -> None:
        """`position` is in the database."""
        self.reading = self.reading.behind(position)
        if self._settled == position:
            self._settled = None

    def _follow(self) -> None:
        while self._chunks and self._chunks[0].left == 0:
            chunk = self._chunks.popleft()
            self._settled = chunk.after
            self._high_id = max(self._high_id, chunk.high_id)
            self.passed += chunk.messages

    def _with_extra(
        self, row: LogRow, kind: Kind, message_id: UUID, mark: int, extra: Mapping[str, object], origin: LogOrigin
    ) -> Envelope:
        deliver = extra.get("deliver_at")
        deliver_at = datetime.fromisoformat(deliver) if isinstance(deliver, str) else None
        if extra.get("ahead") is True:
            origin.due_at = deliver_at
        told = extra.get("generation")
        headers = extra.get("headers")
        return Envelope(
            message_id, self._source, kind.type, kind.version, row[3], _text(extra, "subject") or row[3],
            datetime.fromisoformat(row[5]), kind.content_type, row[0], told if isinstance(told, int) else 0, deliver_at,
            _text(extra, "correlation_id"), _text(extra, "causation_id"), _text(extra, "traceparent"),
            _text(extra, "tracestate"), headers if isinstance(headers, dict) else NO_HEADERS, row[4], mark,
        )  # fmt: skip


def _text(extra: Mapping[str, object], name: str) -> str | None:
    value = extra.get(name)
    return value if isinstance(value, str) else None
