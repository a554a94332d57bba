"""What people got and what the records say, against what was asked for."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from faults.asking import asked
from outrider.testing.feishu import Call, FakeFeishu, FaultKind

CHANNELS = ("inbox", "feishu_app", "feishu_bot")
OPEN = ("pending", "failed", "sending")
OF = {"app": "feishu_app", "bot": "feishu_bot"}
_TOKEN = re.compile(r"task ([0-9a-f]{32})")
RECORDS = "SELECT correlation_id, channel, status, last_error_code, id FROM notification_record"
ITEMS = """
    SELECT r.correlation_id, count(i.id) FROM notification_record AS r
    JOIN notification_inbox_item AS i ON i.record_id = r.id GROUP BY r.correlation_id
"""
AMBIGUOUS = """
    SELECT r.correlation_id, count(*) FROM notification_record AS r
    JOIN notification_attempt AS a ON a.record_id = r.id WHERE r.channel = 'feishu_bot' AND a.maybe_done
    GROUP BY r.correlation_id
"""
CALLS = "SELECT count(*) FROM notification_attempt"
BEGUN = "SELECT provider_key, started_at FROM notification_attempt ORDER BY started_at"
WAITED = """
    SELECT attempt_no, count(*) FROM notification_record WHERE last_error_code = 'window_closed'
    GROUP BY attempt_no ORDER BY 1
"""


@dataclass(frozen=True)
class Row:
    """A record: what it is about, and how it stands."""

    token: str
    channel: str
    status: str
    code: str | None


def rows_of(database: str) -> list[Row]:
    """Every record."""
    with psycopg.connect(database) as connection:
        return [Row(*row[:4]) for row in connection.execute(RECORDS).fetchall()]


def unsettled(database: str) -> int:
    """How many records are not at an end, and requests without one."""
    rows = rows_of(database)
    return sum(row.status in OPEN for row in rows) + len(asked(database)) * len(CHANNELS) - len(rows)


def judge(database: str, feishu: FakeFeishu, window: timedelta) -> dict[str, Any]:
    """The figures: what is wrong, all 0 in a right system but `repeats_max`, and how everything ended."""
    tokens, rows = asked(database), rows_of(database)
    with psycopg.connect(database) as connection:
        items: Counter[str] = Counter(dict(connection.execute(ITEMS).fetchall()))
        ambiguous: Counter[str] = Counter(dict(connection.execute(AMBIGUOUS).fetchall()))
        attempts = connection.execute(CALLS).fetchall()[0][0]
        begun: dict[str, list[datetime]] = defaultdict(list)
        for key, at in connection.execute(BEGUN).fetchall():
            begun[key].append(at)
        waited = {str(number): count for number, count in connection.execute(WAITED).fetchall()}
    seen = _seen(feishu)
    seen["inbox"] = items
    repeats = {token: count - 1 for token, count in seen["feishu_bot"].items() if count > 1}
    told = [row for row in rows if seen[row.channel][row.token]]
    calls = [call for call in feishu.calls if call.endpoint == "app"]
    blind = _blind(calls, window)
    return {
        "committed": len(tokens),
        "records": len(rows),
        "attempts": attempts,
        "lost": len(tokens) * len(CHANNELS) - len({(row.token, row.channel) for row in rows if row.token in tokens})
        + sum(row.status == "sent" and not seen[row.channel][row.token] for row in rows),
        "phantom": len({row.token for row in rows} - tokens),
        "stuck": sum(row.status in OPEN for row in rows),
        "reasonless": sum(row.status not in {*OPEN, "sent"} and not row.code for row in rows),
        "dead_but_seen": sum(row.status == "dead" for row in told),
        "seen_twice": sum(count > 1 for count in seen["feishu_app"].values()),
        "items_twice": sum(count > 1 for count in items.values()),
        "key_changed": _changed(calls),
        "blind_retries_outside_window": len(blind),
        "blind_begun_and_on_way_s": [_ages(begun[call.uuid or ""], call) for call in blind],
        "repeats": sum(repeats.values()),
        "repeats_max": max(repeats.values(), default=0),
        "repeats_unprovoked": sum(max(0, count - ambiguous[token]) for token, count in repeats.items()),
        "hidden_by_key": feishu.hidden,
        "limited": feishu.limited,
        "ended": {channel: dict(Counter(row.status for row in rows if row.channel == channel)) for channel in CHANNELS},
        "window_closed_after_attempts": waited,
        "reasons": dict(Counter(row.code for row in rows if row.code)),
    }  # fmt: skip


def _seen(feishu: FakeFeishu) -> dict[str, Counter[str]]:
    """How often a person got what, by channel and token."""
    found: dict[str, Counter[str]] = {channel: Counter() for channel in CHANNELS}
    for post in feishu.posts:
        found[OF[post.endpoint]].update(set(_TOKEN.findall(post.text)))
    return found


def _changed(calls: Iterable[Call]) -> int:
    """Contents that came under more than one key, and keys that came with more than one content."""
    keys: dict[bytes, set[str]] = defaultdict(set)
    contents: dict[str, set[bytes]] = defaultdict(set)
    for call in calls:
        if call.uuid is not None:
            content = call.body.replace(call.uuid.encode(), b"")
            keys[content].add(call.uuid)
            contents[call.uuid].add(content)
    return sum(len(found) > 1 for found in keys.values()) + sum(len(found) > 1 for found in contents.values())


def _blind(calls: Sequence[Call], window: timedelta) -> list[Call]:
    """Calls under a key so long after the first that may have told somebody that the provider has forgotten it."""
    first: dict[str, Call] = {}
    found = []
    for call in calls:
        if call.uuid is None:
            continue
        if call.uuid in first:
            found += [call] if call.at - first[call.uuid].at >= window else []
        elif call.posted or call.hidden or (call.fault is not None and call.fault.kind is FaultKind.DROP):
            first[call.uuid] = call
    return found


def _ages(begun: Sequence[datetime], call: Call) -> tuple[float, float]:
    """How long after the first of its attempts a call's own began, and how long it took from there to the provider: the
    first is ours to bound; the second is longer than a call may last where nobody had the processor.
    """
    own = max((at for at in begun if at <= call.at), default=call.at)
    first = min(begun, default=own)
    return round((own - first).total_seconds(), 2), round((call.at - own).total_seconds(), 2)
