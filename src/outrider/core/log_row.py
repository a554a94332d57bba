"""A log row as the relay reads it: a plain tuple, because building an object a row would halve the read rate.

`LogRow` = `(log_id, message_id, kind, key, payload, time, extra)`
- `log_id` int · `message_id` the id's text, lower case with dashes · `key` str or None · `payload` bytes
- `kind` what is the same for all messages of one sort, see `Kind`
- `time` created_at in UTC: RFC 3339 with six digits and `Z`, or as the database prints it cheapest, see `rfc3339`
- `extra` None for a plain message, else a JSON object's text with those of: `headers` (object), `subject`, `deliver_at`
  (RFC 3339), `ahead` (true where that lay ahead at the read, so that a row with it never reaches a publisher),
  `correlation_id`, `causation_id`, `traceparent`, `tracestate`, `generation`
"""

from functools import lru_cache
from json import loads
from typing import NamedTuple

LogRow = tuple[int, str, str, str | None, bytes, str, str | None]

SEPARATOR = "\x1f"  # the unit separator: none of the joined fields may hold a control character
KINDS_MAX = 4096
CLOCK_LENGTH = len("16:24:10.500000")
PRINTED_LENGTH = len("2026-11-21 16:24:10.500001+00")


class Kind(NamedTuple):
    """The parts of a row that few distinct values cover, joined by the database into one text (`SEPARATOR`)."""

    type: str
    version: int
    topic: str
    content_type: str
    max_retry: int


def rfc3339(time: str) -> str:
    """A row's `time` as it is sent: `2026-11-21 16:24:10.5+00`, as PostgreSQL prints it, with `T`, six digits and `Z`."""
    if len(time) == PRINTED_LENGTH:
        return f"{time[:10]}T{time[11:26]}Z"
    if time[10] == "T":
        return time
    clock = time[11:-3]
    return f"{time[:10]}T{(clock if '.' in clock else clock + '.').ljust(CLOCK_LENGTH, '0')}Z"


def generation_of(row: LogRow) -> int:
    """How often the message was wanted again: 0 the first time."""
    extra = row[6]
    return int(loads(extra).get("generation") or 0) if extra and "generation" in extra else 0


@lru_cache(maxsize=KINDS_MAX)
def parse_kind(text: str) -> Kind:
    """Take a row's kind apart. Raises ValueError if a part is missing."""
    type_, version, topic, content_type, max_retry = text.split(SEPARATOR)
    return Kind(type_, int(version), topic, content_type, int(max_retry))
