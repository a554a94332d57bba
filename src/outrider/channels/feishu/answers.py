"""From an answer to a result: the code first, then the HTTP status. Source: reference/feishu.md, NT-17, NT-51.

Invariant: success is said by code 0 alone (of a flow also by silence); nothing that cannot be read counts as a yes or a no.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, NamedTuple

from outrider.channels.feishu.codes import BOT, Meaning, app_meaning, meaning_of
from outrider.core.notification.codes import CLASSES, Code, Outcome
from outrider.core.notification.retry_after import retry_after
from outrider.core.notification.sending import Assurance, SendResult
from outrider.core.text import clean_text
from outrider.ports.http import HttpAnswer
from outrider.runtime.provider_results import refusal

RESET_HEADERS: Final = ("x-ogw-ratelimit-reset",)
MESSAGE_MAX: Final = 500
MESSAGE_ID_MAX: Final = 128
CLOCKS_AGREE_SECONDS: Final = 60
_CODE_DIGITS_MAX: Final = 12
_SUCCESS, _LIMITED, _DOWN = 2, 429, 503
_DENIED: Final[Mapping[int, Code]] = {401: Code.PROVIDER_AUTH_FAILED, 403: Code.PROVIDER_AUTH_FAILED}
_WEBHOOK: Final[Mapping[int, Code]] = {**_DENIED, 404: Code.DESTINATION_GONE, 410: Code.DESTINATION_GONE}

Meanings = Callable[[int, str], Meaning | None]


class Endpoint(NamedTuple):
    """How the answers of one endpoint are judged.

    `statuses`: of refusals whose code says nothing. `silent`: a 2xx without a code is a success. `by_status`: below 500 a
    refusing status decides, whatever the body says.
    """

    meanings: Meanings
    statuses: Mapping[int, Code]
    assurance: Assurance
    silent: bool = False
    by_status: bool = False


BOT_WEBHOOK: Final = Endpoint(partial(meaning_of, BOT), _WEBHOOK, Assurance.POSTED)
FLOW_WEBHOOK: Final = Endpoint(partial(meaning_of, BOT), _WEBHOOK, Assurance.ACCEPTED, silent=True, by_status=True)
APP_API: Final = Endpoint(app_meaning, {**_DENIED, 404: Code.INVALID_URL}, Assurance.POSTED)


class Said(NamedTuple):
    """What an answer's body says: the code, its words, and the rest. `code` is None where there is none to read."""

    code: int | None = None
    message: str = ""
    data: Mapping[str, Any] = {}


def read(answer: HttpAnswer) -> Said:
    """The body's code and message; the legacy twins speak only where `code` is absent."""
    try:
        value = json.loads(answer.body) if not answer.truncated else None
    except (ValueError, RecursionError):
        return Said()
    if not isinstance(value, dict):
        return Said()
    code = value["code"] if value.get("code") is not None else value.get("StatusCode")
    message = value.get("msg") or value.get("StatusMessage") or value.get("error_description") or ""
    data = value.get("data")
    return Said(_number(code), clean_text(message, MESSAGE_MAX), data if isinstance(data, dict) else {})


def result_of(endpoint: Endpoint, answer: HttpAnswer, now: datetime) -> SendResult:
    """What this answer means."""
    said = read(answer)
    if answer.status // 100 == _SUCCESS:
        if said.code is None and (answer.truncated or not endpoint.silent):
            return _unreadable(answer)
        if not said.code:
            shown = str(said.data.get("message_id") or "")[:MESSAGE_ID_MAX] or None
            return SendResult(
                Outcome.SUCCESS, assurance=endpoint.assurance, http_status=answer.status, provider_message_id=shown
            )
    found = _meaning(endpoint, answer.status, said)
    provider_code = str(said.code) if said.code else str(answer.status)
    message = said.message or f"HTTP status {answer.status}"
    if found is None:
        return SendResult(
            Outcome.TEMPORARY_FAIL, None, Code.UNRECOGNISED_ANSWER, provider_code, message, http_status=answer.status
        )
    if found.code is Code.SIGN_MISMATCH:
        message = f"{message}; {clock_difference(answer, now)}"
    wait = retry_after(answer.headers, now, RESET_HEADERS)
    return SendResult(
        found.outcome, CLASSES.get(found.code), found.code, provider_code, message, found.maybe_done, wait,
        http_status=answer.status,
    )  # fmt: skip


def _meaning(endpoint: Endpoint, status: int, said: Said) -> Meaning | None:
    """A limit, a redirect and a failing server by their status; else the code's meaning, else the status'."""
    if status == _LIMITED:
        return Meaning(Code.PROVIDER_RATE_LIMITED)
    match status // 100:
        case 3:
            return Meaning(Code.INVALID_URL)
        case 5:
            return Meaning(Code.PROVIDER_5XX, maybe_done=status != _DOWN)
        case 4 if endpoint.by_status:
            return Meaning(endpoint.statuses.get(status, Code.PAYLOAD_INVALID))
    found = endpoint.meanings(said.code, said.message) if said.code else None
    if found is None and status in endpoint.statuses:
        return Meaning(endpoint.statuses[status])
    return Meaning(Code.PAYLOAD_INVALID) if found is None and not said.code else found


def _unreadable(answer: HttpAnswer) -> SendResult:
    return refusal(
        Code.ANSWER_UNREADABLE,
        Outcome.UNKNOWN,
        maybe_done=True,
        http_status=answer.status,
        message="the answer broke off" if answer.truncated else "the answer cannot be read",
    )


def clock_difference(answer: HttpAnswer, now: datetime) -> str:
    """How our clock stands to the answer's `Date`: a signature is good for an hour of theirs."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        seconds = round((now - theirs).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return "the answer does not say what time it is there"
    if abs(seconds) <= CLOCKS_AGREE_SECONDS:
        return "the clocks agree: check the secret"
    return f"this machine's clock is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} Feishu's"


def _number(code: object) -> int | None:
    if isinstance(code, bool):
        return None
    if isinstance(code, int):
        return code
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) <= _CODE_DIGITS_MAX:
        return int(code)
    return None
