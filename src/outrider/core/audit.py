"""Who changed what, when and why: the steps on `outrider_audit`.

Invariant: a change and its row are written in one transaction; rows are only added, and pruned by age. Source: spec/outbox.md
OB-79.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from outrider.core.operations import PAGE_MAX, check_limit
from outrider.core.steps import Row, Statement, Steps
from outrider.core.text import clean_text

ACTOR_MAX: Final = 255
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which changes are looked for; None means any. `since` and `until` bound when they were made."""

    verb: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditLine(NamedTuple):
    """One change: what was asked for (`filter`), and how many rows it was."""

    at: datetime
    actor: str
    verb: str
    filter: dict[str, str]
    affected: int
    reason: str


class Place(NamedTuple):
    """Behind which row a page begins: down from `at`, passing over `skip` rows of that very instant."""

    at: datetime
    skip: int


def write(actor: str, verb: str, wanted: Mapping[str, str], affected: int, reason: str) -> Steps[None]:
    """Keep who changed what and why; empty values of `wanted` say nothing and are left out.

    Statement `insert_audit` (actor, verb, filter JSON text, affected, reason).
    """
    said = json.dumps({name: clean_text(value) for name, value in wanted.items() if value})
    params = {"actor": clean_text(actor, ACTOR_MAX), "verb": verb, "filter": said, "affected": affected}
    yield Statement("insert_audit", {**params, "reason": clean_text(reason)})


def list_audit(wanted: AuditFilter, behind: Place | None, limit: int) -> Steps[list[AuditLine]]:
    """Changes, newest first. Raises OperationRefused for a limit beyond a page.

    Statement `list_audit` (verb, actor text; since, until, before datetimes, None for any; skip, limit int) → rows of
    `AuditLine` with `filter` as JSON text, by `at` downwards and within an instant always in the same order.
    """
    params = {
        "verb": wanted.verb, "actor": wanted.actor, "since": wanted.since, "until": wanted.until,
        "before": None if behind is None else behind.at, "skip": 0 if behind is None else behind.skip,
        "limit": check_limit(limit),
    }  # fmt: skip
    rows = yield Statement("list_audit", params)
    return [_line(row) for row in rows]


def read_history(message_id: UUID, log_id: int | None) -> Steps[list[AuditLine]]:
    """What people did to this very message, by its ids, newest first.

    Statement `audit_of_message` (id, log_id text, the latter empty where it is not known; limit) → as `list_audit`.
    """
    params = {"id": str(message_id), "log_id": "" if log_id is None else str(log_id), "limit": PAGE_MAX}
    rows = yield Statement("audit_of_message", params)
    return [_line(row) for row in rows]


def place_of(numbers: Sequence[int]) -> Place | None:
    """The place that a page's cursor names; none where there is no cursor."""
    return Place(_EPOCH + numbers[0] * _MICROSECOND, numbers[1]) if numbers else None


def cursor_of(shown: Sequence[AuditLine], last: AuditLine, behind: Place | None) -> str:
    """The cursor of what follows `shown`, which ends with `last` and began `behind` a place."""
    skip = sum(line.at == last.at for line in shown)
    if behind is not None and behind.at == last.at:
        skip += behind.skip
    return f"{(last.at - _EPOCH) // _MICROSECOND}.{skip}"


def _line(row: Row) -> AuditLine:
    at, actor, verb, said, affected, reason = row
    found: dict[str, Any] = json.loads(said)
    return AuditLine(at, str(actor), str(verb), {name: str(value) for name, value in found.items()}, affected, reason)
