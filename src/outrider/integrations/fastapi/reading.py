"""What a call says in its query and body, read strictly. Source: spec/notification.md §11, §12, NT-47."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from outrider.core.errors import NotificationNotFound, Undecodable
from outrider.core.identity import uuid_from_text
from outrider.integrations.fastapi.problems import FieldError, Problem
from outrider.notification.reopening import ReplayMode
from outrider.notification.request import IDS, read_instant
from outrider.notification.states import KNOWN
from outrider.notification.store.listing import RecordFilter

LIMIT_MAX: Final = 200
LIMIT: Final = 50
REASON_MAX: Final = 2_000
TEXTS: Final = ("status", "channel", "kind", "code", "error_class", "recipient_id", "dedupe_key", "correlation_id")
TIMES: Final = ("since", "until")
FILTERS: Final = (*TEXTS, *TIMES)
TEXT_MAX: Final = 191
UNREADABLE: Final = "invalid_request"


def refused(field: str, message: str, code: str = "validation_failed") -> Problem:
    """One field breaks its rule; of a query, that is an unreadable request (ST-55)."""
    return Problem(code, f"{field}: {message}", [FieldError(field, code, message)])


def record_id(text: str) -> UUID:
    """An id of the path; what is none names nothing."""
    try:
        return uuid_from_text(text)
    except ValueError:
        raise NotificationNotFound("record", text) from None


def item_id(text: str) -> UUID:
    """The same of an item."""
    try:
        return uuid_from_text(text)
    except ValueError:
        raise NotificationNotFound("item", text) from None


def recipient_id(text: str) -> str:
    """A recipient of the path."""
    if not 0 < len(text) <= IDS["recipient_id"] or not all("!" <= one <= "~" for one in text):
        raise refused("recipient_id", f"must be 1 to {IDS['recipient_id']} visible ASCII characters")
    return text


def limit_of(said: Mapping[str, str]) -> int:
    """Rows of a page."""
    text = said.get("limit", str(LIMIT))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= LIMIT_MAX:
        raise refused("limit", f"must be 1 to {LIMIT_MAX}", UNREADABLE)
    return int(text)


def flag_of(said: Mapping[str, str], name: str) -> bool:
    """A flag of the query."""
    text = said.get(name, "false").lower()
    if text not in {"true", "false", "1", "0", ""}:
        raise refused(name, "must be true or false", UNREADABLE)
    return text in {"true", "1"}


def filter_of(said: Mapping[str, Any], code: str = "validation_failed") -> RecordFilter:
    """The filter of a query, or of a body's `filter`; an unknown name is refused, for it would match everything."""
    for name in said.keys() - set(FILTERS):
        raise refused(name, "is no filter", code)
    values: dict[str, Any] = {}
    for name in TEXTS:
        value = said.get(name)
        if value is not None and (not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX or "\0" in value):
            raise refused(name, f"must be text of 1 to {TEXT_MAX} characters", code)
        values[name] = value
    if values["status"] is not None and values["status"] not in KNOWN:
        raise refused("status", f"must be one of {', '.join(sorted(KNOWN))}", code)
    for name in TIMES:
        try:
            values[name] = read_instant(said, name)
        except Undecodable as error:
            raise refused(error.path, error.reason, code) from None
    return RecordFilter(**values)


def mode_of(said: Mapping[str, Any]) -> ReplayMode:
    """The mode of a replay."""
    try:
        return ReplayMode(str(said.get("mode")))
    except ValueError:
        raise refused("mode", f"must be {' or '.join(ReplayMode)}") from None


def text_of(said: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    """A text of the body."""
    value = said.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > REASON_MAX or (required and not value.strip()):
        raise refused(name, f"must be text of at most {REASON_MAX} characters")
    return value


def known(said: Mapping[str, Any], *names: str) -> None:
    """Refuse what the body has besides."""
    for name in said.keys() - set(names):
        raise refused(name, "is not known here")
