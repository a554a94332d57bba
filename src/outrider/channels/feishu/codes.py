"""What Feishu's codes mean, as data. Source: reference/feishu.md §2 and §4.

Invariant: the first row that fits decides; a code is known only together with the words that the row asks for. What no row
knows is a definite refusal, temporary (NT-17).
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from outrider.core.notification.codes import Code, Outcome

CARD_ENVELOPE: Final = 230099
"""The app API's code for a refused card; the reason is the ErrCode in its words."""
_ERROR_CODE: Final = re.compile(r"ErrCode:\s*(\d{1,9})", re.IGNORECASE)
_PERMANENT: Final = frozenset(
    {Code.PAYLOAD_INVALID, Code.CONTENT_REFUSED, Code.RECIPIENT_REFUSED, Code.DESTINATION_GONE}
)


class Meaning(NamedTuple):
    """One of our codes, and whether the message may be posted nevertheless."""

    code: Code
    maybe_done: bool = False

    @property
    def outcome(self) -> Outcome:
        """Whether the same call could ever succeed."""
        return Outcome.PERMANENT_FAIL if self.code in _PERMANENT else Outcome.TEMPORARY_FAIL


class Row(NamedTuple):
    """A code from `first` to `last`, and words in lower case that its message must have."""

    first: int
    last: int
    words: str
    meaning: Meaning


def _rows(code: Code, *codes: int, words: str = "", maybe_done: bool = False) -> tuple[Row, ...]:
    return tuple(Row(one, one, words, Meaning(code, maybe_done)) for one in codes)


BOT: Final = (
    *_rows(Code.PROVIDER_RATE_LIMITED, 11232),
    *_rows(Code.PROVIDER_RATE_LIMITED, 9499, words="too many request"),
    *_rows(Code.PROVIDER_RATE_LIMITED, 9499, words="frequency limited"),
    *_rows(Code.PAYLOAD_INVALID, 9499, words="bad request"),
    *_rows(Code.DESTINATION_GONE, 19001, words="access token invalid"),
    *_rows(Code.DESTINATION_GONE, 19007),
    *_rows(Code.PAYLOAD_INVALID, 19002, 11310),
    *_rows(Code.SIGN_MISMATCH, 19021),
    *_rows(Code.IP_NOT_ALLOWED, 19022),
    *_rows(Code.KEYWORD_MISSING, 19024),
    *_rows(Code.PROVIDER_5XX, 2200, maybe_done=True),
    Row(200_000, 200_999, "", Meaning(Code.PAYLOAD_INVALID)),
)
"""Of the bot webhook, and of the flow webhook too (NT-51)."""

TOKEN_CODES: Final = frozenset({99991661, 99991663, 99991668, 99991671, 99991677})
"""Token missing, invalid or expired: a new one may do."""
APP: Final = (
    *_rows(Code.PROVIDER_RATE_LIMITED, 99991400, 230020, 11232),
    *_rows(Code.PROVIDER_5XX, 230049, maybe_done=True),
    *_rows(Code.PROVIDER_AUTH_FAILED, *TOKEN_CODES, 10014, 99991543, 99991662, 99991673),
    *_rows(Code.SCOPE_MISSING, 99991672, 99991676, 99991679, 230027, 230006),
    *_rows(Code.PAYLOAD_INVALID, 230001, 230015, 230017, 230025, 230054, 230055),
    *_rows(Code.CONTENT_REFUSED, 230022, 230028),
    *_rows(
        Code.RECIPIENT_REFUSED,
        *(230002, 230013, 230018, 230019, 230029, 230034, 230035, 230036, 230038, 230053, 230075, 232009),
    ),
)
"""Of the app API."""
CARD: Final = _rows(
    Code.PAYLOAD_INVALID,
    *(11310, 100290, 200380, 200381, 200550, 200570, 200621, 200732, 200737, 200861, 200914, 200915),
)
"""Of the reasons under 230099."""


def meaning_of(table: Iterable[Row], code: int, message: str) -> Meaning | None:
    """What this code with these words means, or None where no row knows."""
    words = message.lower()
    return next((row.meaning for row in table if row.first <= code <= row.last and row.words in words), None)


def app_meaning(code: int, message: str) -> Meaning | None:
    """The same of the app API, whose card envelope is opened."""
    if code != CARD_ENVELOPE:
        return meaning_of(APP, code, message)
    inner = _ERROR_CODE.search(message)
    return meaning_of(CARD, int(inner[1]), message) if inner else None
