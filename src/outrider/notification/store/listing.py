"""Looking for records by what is known of them. Source: spec/notification.md NT-47, §12."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from outrider.core.operations import check_limit
from outrider.core.steps import Statement, Steps
from outrider.notification.record import Record, record_of

_COLUMN: Final = {"code": "last_error_code", "error_class": "last_error_class"}
_TIMES: Final = frozenset({"since", "until"})


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records are looked for; None means any. `since` and `until` bound when they were accepted."""

    status: str | None = None
    channel: str | None = None
    kind: str | None = None
    code: str | None = None
    error_class: str | None = None
    recipient_id: str | None = None
    dedupe_key: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it asks for all records."""
        return self == RecordFilter()

    def params(self) -> dict[str, Any]:
        """As parameters of a statement."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def said(self) -> dict[str, str]:
        """What was asked for, as the audit row keeps it."""
        return {name: str(value) for name, value in self.params().items() if value is not None}

    def matches(self, record: Record) -> bool:
        """Whether a record, as it is now, is among them."""
        wanted = {name: value for name, value in self.params().items() if value is not None and name not in _TIMES}
        if any(getattr(record, _COLUMN.get(name, name)) != value for name, value in wanted.items()):
            return False
        after = self.since is None or record.created_at >= self.since
        return after and (self.until is None or record.created_at < self.until)


def list_records(wanted: RecordFilter, before: UUID | None, limit: int) -> Steps[list[Record]]:
    """Records, newest first, those before the id `before`. Raises OperationRefused for a limit beyond a page.

    Statement `list_notifications`, params of the filter, `before` (None: from the newest), `limit` → records, by id
    downwards: ids are UUIDv7.
    """
    params = {**wanted.params(), "before": before, "limit": check_limit(limit)}
    return [record_of(row) for row in (yield Statement("list_notifications", params))]


def oldest_first(wanted: RecordFilter, behind: UUID | None, limit: int) -> Steps[list[Record]]:
    """The same, oldest first, behind the id `behind`: statement `matching_notifications`, `behind` for `before`."""
    params = {**wanted.params(), "behind": behind, "limit": check_limit(limit)}
    return [record_of(row) for row in (yield Statement("matching_notifications", params))]
