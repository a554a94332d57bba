"""What a receiver's answer means, by its status. Source: spec/notification.md §8, Standard Webhooks 1.0.0."""

from datetime import datetime
from typing import Final

from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.retry_after import retry_after
from outrider.core.notification.sending import Assurance, SendResult
from outrider.ports.http import HttpAnswer
from outrider.runtime.provider_results import refusal

CONFIGURATION: Final = {
    401: Code.PROVIDER_AUTH_FAILED,
    403: Code.PROVIDER_AUTH_FAILED,
    404: Code.INVALID_URL,
    405: Code.INVALID_URL,
}
UNAVAILABLE: Final = frozenset({408, 425})
"""The receiver itself says that it did not take it, as it does with every 5xx."""
TOO_MANY, GONE = 429, 410
_SUCCESS, _REDIRECT, _REFUSED, _BROKEN = 200, 300, 400, 500


def result_of(answer: HttpAnswer, now: datetime) -> SendResult:
    """Success by its status alone, also where the body was cut; else who must act."""
    status, delivery = answer.status, answer.headers.get("webhook-delivery", "").strip().lower()
    if _SUCCESS <= status < _REDIRECT:
        return SendResult(Outcome.SUCCESS, assurance=Assurance.POSTED, http_status=status)
    code, outcome = _code(status, delivery)
    wait = retry_after(answer.headers, now)
    return refusal(
        code, outcome, provider_code=str(status), http_status=status, retry_after=wait, message=f"HTTP status {status}"
    )


def _code(status: int, delivery: str) -> tuple[Code, Outcome]:
    if status == GONE or delivery == "disable":
        return Code.DESTINATION_GONE, Outcome.PERMANENT_FAIL
    if status == TOO_MANY:
        return Code.PROVIDER_RATE_LIMITED, Outcome.TEMPORARY_FAIL
    if status >= _BROKEN or status in UNAVAILABLE:
        return Code.PROVIDER_5XX, Outcome.TEMPORARY_FAIL
    if status < _REFUSED or status in CONFIGURATION:
        return CONFIGURATION.get(status, Code.INVALID_URL), Outcome.TEMPORARY_FAIL
    return Code.PAYLOAD_INVALID, Outcome.PERMANENT_FAIL
