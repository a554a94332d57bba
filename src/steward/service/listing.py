"""Lists in pages: newest first, each page from where the last one ended.

Invariant: a cursor says where a page ended and is signed for one person, one list and one filter; anything else about it is
`invalid_request`, without a hint which. Source: spec/scheduling.md ST-56, §18.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hmac import compare_digest, digest
from json import loads
from typing import Any, Final, TypeVar

from outrider import canonical_json
from steward.ports.rows.answer import ApplyRow, DialogueRow, FeedbackRow
from steward.ports.rows.calendar import EventRow, SourceRow, TaskRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Is, Reading
from steward.service.problems import InvalidRequest

LIMIT_USUAL: Final = 50
LIMIT_MAX: Final = 200
_TAG_BYTES: Final = 16
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

L = TypeVar("L", ApplyRow, DialogueRow, EventRow, FeedbackRow, JobRow, PreviewRow, SourceRow, TaskRow, TriggerRow)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One page of one list: `name` is the list's, `id_column` orders rows of the same moment.

    `filters` are what the caller asked for, as sent; the cursor is bound to them.
    """

    user_id: str
    name: str
    id_column: str
    limit: int | None = None
    cursor: str | None = None
    filters: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Makes and reads cursors; the first key signs, all of them are good."""

    keys: Sequence[bytes]

    async def page(
        self, tx: Reading, kind: type[L], where: Mapping[str, object], wanted: Wanted
    ) -> tuple[list[L], str | None]:
        """The rows of the page, by (created_at, id) falling, and the cursor of the next one, if there is one.

        Raises InvalidRequest for a limit outside 1 to 200 and for a cursor that is not of this list.
        """
        limit = LIMIT_USUAL if wanted.limit is None else wanted.limit
        if not 1 <= limit <= LIMIT_MAX:
            raise InvalidRequest(f"limit: 1 to {LIMIT_MAX}")
        order = ("-created_at", f"-{wanted.id_column}")
        if wanted.cursor is None:
            rows = await tx.all(kind, where, order=order, limit=limit + 1)
        else:
            moment, last = self._read(wanted)
            same = {**where, "created_at": moment, wanted.id_column: Is("<", last)}
            rows = await tx.all(kind, same, order=order, limit=limit + 1)
            if len(rows) <= limit:
                older = {**where, "created_at": Is("<", moment)}
                rows += await tx.all(kind, older, order=order, limit=limit + 1 - len(rows))
        if len(rows) <= limit:
            return rows, None
        ended = rows[limit - 1]
        return rows[:limit], self._write(wanted, ended.created_at, getattr(ended, wanted.id_column))

    def _write(self, wanted: Wanted, moment: datetime, last: str) -> str:
        place = [(moment - _EPOCH) // _MICROSECOND, last]
        body = canonical_json(place)
        return urlsafe_b64encode(_tag(self.keys[0], wanted, place) + body).decode().rstrip("=")

    def _read(self, wanted: Wanted) -> tuple[datetime, str]:
        try:
            text = wanted.cursor or ""
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            place = loads(raw[_TAG_BYTES:])
            if any(compare_digest(raw[:_TAG_BYTES], _tag(key, wanted, place)) for key in self.keys):
                return _EPOCH + place[0] * _MICROSECOND, place[1]
        except (ValueError, TypeError, LookupError):
            pass
        raise InvalidRequest("cursor: not one of this list")


def _tag(key: bytes, wanted: Wanted, place: list[Any]) -> bytes:
    said = canonical_json([wanted.user_id, wanted.name, dict(wanted.filters or {}), place])
    return digest(key, said, "sha256")[:_TAG_BYTES]
