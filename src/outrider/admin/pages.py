"""The ids and cursors that operators ask by. Source: spec/outbox.md OB-79."""

from typing import Final
from uuid import UUID

from outrider.core.errors import InvalidMessage, OperationRefused
from outrider.core.identity import uuid_from_text
from outrider.core.operations import INBOX, LOG, Filter

NUMBER_DIGITS: Final = 19
FOREIGN: Final = "this cursor is not one that a page gave"


def by_id(text: str | int | UUID) -> Filter:
    """The filter of a message id or a log id. Raises InvalidMessage for what is neither."""
    if isinstance(text, UUID):
        return Filter(id=text)
    if isinstance(text, int) or (text.isdecimal() and text.isascii()):
        number = int(text)
        if number < 2**63:
            return Filter(log_id=number)
    try:
        return Filter(id=uuid_from_text(str(text)))
    except ValueError:
        raise InvalidMessage("id", reason="is neither a message id (UUID) nor a log id (number)") from None


def numbers(cursor: str | None, count: int) -> tuple[int, ...]:
    """The numbers of a page's cursor. Raises OperationRefused for a text that is none."""
    if cursor is None:
        return ()
    parts = cursor.split(".")
    if len(parts) != count or not all(_is_number(part) for part in parts):
        raise OperationRefused(FOREIGN)
    return tuple(int(part) for part in parts)


def place(cursor: str | None) -> tuple[int, int, int] | None:
    """Behind which exception row a page begins. Raises OperationRefused."""
    found = numbers(cursor, 3)
    if not found:
        return None
    if found[0] not in {LOG, INBOX}:
        raise OperationRefused(FOREIGN)
    return found[0], found[1], found[2]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= NUMBER_DIGITS
