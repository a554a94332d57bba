"""What a mail server's reply, or its silence, means at each stage. Source: spec/notification.md §8, NT-17; RFC 5321."""

from enum import StrEnum
from typing import Final

from outrider.core.notification.codes import CLASSES, Code, ErrorClass, Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.text import clean_text

DETAIL_MAX: Final = 300


class Stage(StrEnum):
    """How far the conversation came."""

    CONNECT = "connect"
    GREETING = "greeting"
    STARTTLS = "starttls"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"
    DOT = "dot"
    """The final dot was sent, so the message may be on its way."""


PERMANENT: Final = {
    Stage.CONNECT: Code.IP_NOT_ALLOWED,
    Stage.GREETING: Code.IP_NOT_ALLOWED,
    Stage.STARTTLS: Code.PROVIDER_AUTH_FAILED,
    Stage.LOGIN: Code.PROVIDER_AUTH_FAILED,
    Stage.SENDER: Code.PROVIDER_AUTH_FAILED,
    Stage.RECIPIENT: Code.RECIPIENT_REFUSED,
    Stage.DATA: Code.PAYLOAD_INVALID,
    Stage.DOT: Code.PAYLOAD_INVALID,
}
"""What a 5xx reply means."""
AUTH_WANTED: Final = frozenset({530, 534, 535, 538})
_TEMPORARY, _REFUSED, _REPLIES = 400, 500, 600


class Reply(Exception):
    """A server's answer that ends the conversation."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


def of_reply(stage: Stage, reply: Reply) -> SendResult:
    """A definite answer: 4xx comes again later, 5xx is somebody's to mend; what is neither was no answer."""
    message, said = clean_text(f"{stage}: {reply.code} {reply.text}", DETAIL_MAX), str(reply.code)
    if _TEMPORARY <= reply.code < _REFUSED:
        return _failed(Code.PROVIDER_5XX, message, said)
    if not _REFUSED <= reply.code < _REPLIES:
        return of_silence(stage, Code.ANSWER_UNREADABLE, message)
    code = Code.PROVIDER_AUTH_FAILED if reply.code in AUTH_WANTED else PERMANENT[stage]
    final = CLASSES[code] in {ErrorClass.RECIPIENT, ErrorClass.PAYLOAD}
    return _failed(code, message, said, Outcome.PERMANENT_FAIL if final else Outcome.TEMPORARY_FAIL)


def of_silence(stage: Stage, code: Code, message: str) -> SendResult:
    """No answer: nothing was done before the final dot, and nobody knows after it."""
    if stage is Stage.DOT:
        return SendResult(Outcome.UNKNOWN, ErrorClass.AMBIGUOUS, code, message=message, maybe_done=True)
    if code is Code.PROVIDER_TIMEOUT:
        return SendResult(Outcome.TEMPORARY_FAIL, ErrorClass.UNAVAILABLE, code, message=message)
    return _failed(Code.NETWORK_ERROR, message)


def _failed(
    code: Code, message: str, provider_code: str | None = None, outcome: Outcome = Outcome.TEMPORARY_FAIL
) -> SendResult:
    return SendResult(outcome, CLASSES[code], code, provider_code, message)
