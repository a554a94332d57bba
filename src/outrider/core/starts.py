"""The starts of a consumer at a broker: per partition, how many owners died with nothing settled, and what they had marked.

Kept in one row, `inbox_consumer.starts`, as JSON: `{"topic/0": {"starts": 2, "mark": "message id"}}`; a partition of which
something was settled, or that was given back, has no entry. Written once a start, and once more when something is settled.
Source: spec/outbox.md OB-64.
"""

from collections.abc import Collection
from json import dumps, loads
from typing import Any

from outrider.core.steps import Statement, Steps
from outrider.core.suspects import Start, judge_start


def count_starts(consumer_id: int, places: Collection[str]) -> Steps[dict[str, Start[str]]]:
    """Count a start of each place, and give how to begin there, in a transaction.

    Statements: read_starts `consumer_id` → (JSON), which locks the row; write_starts `consumer_id, starts`.
    """
    stored = yield from _read(consumer_id)
    found: dict[str, Start[str]] = {}
    for place in places:
        entry = stored.get(place, {})
        found[place] = judge_start(entry.get("starts", 0) + 1, entry.get("mark"))
        stored[place] = {**entry, "starts": max(1, found[place].starts)}
    yield from _write(consumer_id, stored)
    return found


def mark_place(consumer_id: int, place: str, message_id: str, starts: int) -> Steps[None]:
    """Note the message of a place that is about to be tried, and the `starts` that it counts."""
    stored = yield from _read(consumer_id)
    stored[place] = {"starts": starts, "mark": message_id}
    yield from _write(consumer_id, stored)


def forget_places(consumer_id: int, places: Collection[str]) -> Steps[None]:
    """Something of these was settled, or they were given back."""
    stored = yield from _read(consumer_id)
    yield from _write(consumer_id, {place: entry for place, entry in stored.items() if place not in places})


def _read(consumer_id: int) -> Steps[dict[str, Any]]:
    rows = yield Statement("read_starts", {"consumer_id": consumer_id})
    return dict(loads(rows[0][0])) if rows else {}


def _write(consumer_id: int, stored: dict[str, Any]) -> Steps[None]:
    yield Statement("write_starts", {"consumer_id": consumer_id, "starts": dumps(stored, sort_keys=True)})
